// testcontainers for Node: log and exec wait strategies, copies in and out, exec, restart, reuse, networks. Ryuk is disabled (TESTCONTAINERS_RYUK_DISABLED).
// SPDX-License-Identifier: Apache-2.0
const assert = require('assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const Docker = require('dockerode');
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
add('exec with a user, an environment, a directory', async () => {
  const c = await sleeper().withWaitStrategy(Wait.forLogMessage('ready')).start();
  const r = await c.exec(['sh', '-c', 'id -un; echo $B; pwd; echo err >&2'], {user: 'nobody', env: {B: 'c'}, workingDir: '/tmp'});
  assert.deepEqual([r.exitCode, r.stdout, r.stderr], [0, 'nobody\nc\n/tmp\n', 'err\n']);
  await c.stop();
});
add('waits for the end of a one-shot', async () => {
  const c = await new GenericContainer('busybox').withCommand(['sh', '-c', 'echo done']).withWaitStrategy(Wait.forOneShotStartup()).start();
  await c.stop();
});
add('a one-shot that fails says so', async () => {
  await assert.rejects(new GenericContainer('busybox').withCommand(['sh', '-c', 'exit 3']).withWaitStrategy(Wait.forOneShotStartup()).start());
});
add('waits for all of several', async () => {
  const c = await sleeper().withWaitStrategy(Wait.forAll([Wait.forLogMessage('starting'), Wait.forSuccessfulCommand('true')])).start();
  await c.stop();
});
add('copies files and directories before the start', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'tcn-'));
  fs.mkdirSync(path.join(dir, 'sub'));
  fs.writeFileSync(path.join(dir, 'sub', 'f'), 'deep');
  const c = await sleeper().withCopyDirectoriesToContainer([{source: dir, target: '/srv/dir'}]).withCopyFilesToContainer([{source: path.join(dir, 'sub', 'f'),
    target: '/srv/file', mode: 0o755}]).withWaitStrategy(Wait.forLogMessage('ready')).start();
  assert.equal((await c.exec(['cat', '/srv/dir/sub/f', '/srv/file'])).output, 'deepdeep');
  assert.equal((await c.exec(['stat', '-c', '%a', '/srv/file'])).output, '755\n');
  await c.stop();
  fs.rmSync(dir, {recursive: true});
});
add('consumes the log from the start', async () => {
  let text = '';
  const c = await sleeper().withLogConsumer(s => s.on('data', x => text += x)).withWaitStrategy(Wait.forLogMessage('ready')).start();
  for (let i = 0; i < 500 && !text.includes('ready to go'); i++)
    await new Promise(ok => setTimeout(ok, 10));
  assert(text.includes('starting') && text.includes('ready to go'), text);
  await c.stop();
});
add('reuses', async () => {
  const make = () => sleeper().withReuse().withWaitStrategy(Wait.forLogMessage('ready')).start();
  const one = await make(), two = await make();
  assert.equal(one.getId(), two.getId());
  await one.stop();
});
add('stops without removing, and starts nothing twice', async () => {
  const c = await sleeper().withAutoRemove(false).withWaitStrategy(Wait.forLogMessage('ready')).start();
  const stopped = await c.stop({remove: false});
  assert.equal(stopped.getId(), c.getId());
  await new Docker({socketPath: process.env.DOCKER_HOST.replace('unix://', '')}).getContainer(c.getId()).remove();
});
add('user, working directory, entrypoint, labels', async () => {
  const c = await new GenericContainer('busybox').withEntrypoint(['sh', '-c']).withCommand(['pwd; id -u; sleep 1000']).withUser('1000').withWorkingDir('/srv')
    .withWaitStrategy(Wait.forLogMessage('1000')).start();
  assert.equal(c.getLabels()['org.testcontainers'], 'true');
  await c.stop();
});
add('exposed port, and the wait for it', async () => {
  const c = await new GenericContainer('redis:7').withExposedPorts(6379).withWaitStrategy(Wait.forListeningPorts()).start();
  const socket = require('net').connect(c.getMappedPort(6379), c.getHost());
  socket.write('PING\r\n');
  const [answer] = await require('events').once(socket, 'data');
  assert.equal(String(answer), '+PONG\r\n');
  socket.destroy();
  await c.stop();
});
add('http wait', async () => {
  const c = await new GenericContainer('busybox').withCommand(['sh', '-c', 'sleep 0.3; echo page > /tmp/p; exec httpd -f -p 8000 -h /tmp'])
    .withExposedPorts(8000).withWaitStrategy(Wait.forHttp('/p', 8000)).start();
  const page = await fetch(`http://${c.getHost()}:${c.getMappedPort(8000)}/p`);
  assert.equal(await page.text(), 'page\n');
  await c.stop();
});
add('redis, by exec', async () => {
  const c = await new GenericContainer('redis:7').withWaitStrategy(Wait.forLogMessage('Ready to accept connections')).start();
  assert.equal((await c.exec(['redis-cli', 'ping'])).output.trim(), 'PONG');
  await c.stop();
});
add('node, in a function', async () => {
  const c = await new GenericContainer('node:lts').withCommand(['node', '-e', 'console.log("sum", 40 + 2); setInterval(() => {}, 1000)'])
    .withWaitStrategy(Wait.forLogMessage('sum 42')).start();
  await c.stop();
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
  console.log("skip - Ryuk enabled: its image needs the host's Docker socket mounted, and a function has no host");
  process.exit(0);
})();
