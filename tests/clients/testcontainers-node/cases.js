// testcontainers for Node: log and exec wait strategies, copies in and out, exec, restart, reuse, networks. Ryuk is disabled (TESTCONTAINERS_RYUK_DISABLED).
// SPDX-License-Identifier: Apache-2.0
const assert = require('assert');
const {GenericContainer, Wait, Network} = require('testcontainers');

const cases = [];
const add = (name, fn) => cases.push([name, fn]);
const sleeper = () => new GenericContainer('busybox').withCommand(['sh', '-c', 'echo starting; sleep 0.3; echo ready to go; sleep 1000']);

add('waits for a line of the log', async () => {
  const c = await sleeper().withWaitStrategy(Wait.forLogMessage(/ready to go/)).start();
  await c.stop();
});
add('waits for a command', async () => {
  const c = await new GenericContainer('busybox').withCommand(['sh', '-c', 'sleep 0.3; touch /tmp/up; sleep 1000'])
    .withWaitStrategy(Wait.forSuccessfulCommand('test -f /tmp/up')).start();
  await c.stop();
});
add('waits for a health check', async () => {
  const c = await new GenericContainer('busybox').withCommand(['sleep', '1000'])
    .withHealthCheck({test: ['CMD-SHELL', 'true'], interval: 200, timeout: 1000, retries: 5, startPeriod: 0}).withWaitStrategy(Wait.forHealthCheck()).start();
  await c.stop();
});
add('a wait that fails says so', async () => {
  await assert.rejects(sleeper().withWaitStrategy(Wait.forLogMessage('never')).withStartupTimeout(500).start());
});
add('copies, environment, labels, exec', async () => {
  const c = await sleeper().withCopyContentToContainer([{content: 'hello file', target: '/tmp/hello.txt'}]).withEnvironment({A: 'b'}).withLabels({x: 'y'})
    .withWaitStrategy(Wait.forLogMessage('ready')).start();
  try {
    const r = await c.exec(['sh', '-c', 'cat /tmp/hello.txt; echo $A; exit 3']);
    assert.deepEqual([r.exitCode, r.output], [3, 'hello fileb\n']);
    await c.copyContentToContainer([{content: 'later', target: '/srv/later'}]);
    assert.equal((await c.exec(['cat', '/srv/later'])).output, 'later');
    let n = 0;
    for await (const piece of await c.copyArchiveFromContainer('/tmp/hello.txt'))
      n += piece.length;
    assert(n >= 1024);
  } finally {
    await c.stop();
  }
});
add('streams the log', async () => {
  const c = await sleeper().withWaitStrategy(Wait.forLogMessage('ready')).start();
  const s = await c.logs();
  const first = await new Promise(ok => s.once('data', ok));
  assert(String(first).includes('starting'));
  s.destroy();
  await c.stop();
});
add('restarts', async () => {
  const c = await sleeper().withWaitStrategy(Wait.forLogMessage('ready')).start();
  await c.restart();
  assert.equal((await c.exec(['echo', 'again'])).output, 'again\n');
  await c.stop();
});
add('networks and aliases', async () => {
  const net = await new Network().start();
  const c = await sleeper().withNetwork(net).withNetworkAliases('al').withWaitStrategy(Wait.forLogMessage('ready')).start();
  await c.stop();
  await net.stop();
});

(async () => {
  console.log('version -', require('testcontainers/package.json').version);
  for (const [name, fn] of cases) {
    try {
      await Promise.race([fn(), new Promise((_, no) => setTimeout(() => no(new Error('timed out')), 60000))]);
      console.log('ok -', name);
    } catch (e) {
      console.log('not ok -', name + ':', String(e.message || e).replace(/\n/g, ' | ').slice(0, 400));
    }
  }
  console.log('skip - exposed ports: a function has no inbound port, so the host can not reach a container');
  console.log('skip - Ryuk enabled: its image needs the Docker socket mounted and a reachable port');
  process.exit(0);
})();
