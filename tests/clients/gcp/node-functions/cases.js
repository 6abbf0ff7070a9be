// @google-cloud/functions over REST: functions made, waited for, listed, invoked, deleted; operations; errors.
// SPDX-License-Identifier: Apache-2.0
process.env.METADATA_SERVER_DETECTION = 'none';
const assert = require('assert');
const {options, project, refused, region, run, status} = require('./casebook.js');
const {v2} = require('@google-cloud/functions');

const client = new v2.FunctionServiceClient(options());
const parent = `projects/${project}/locations/${region}`;
const cases = [];
const add = (name, fn) => cases.push([name, fn]);
const image = (...argv) => ({SOCKERLESS_IMAGE: 'busybox', SOCKERLESS_PROCESS: Buffer.from(JSON.stringify({argv})).toString('base64')});
const spec = (argv, more = {}) => ({environment: 'GEN_2', labels: {team: 'blue'}, buildConfig: {runtime: 'docker', entryPoint: 'x'},
  serviceConfig: {availableMemory: '512Mi', timeoutSeconds: 120, maxInstanceCount: 1, ingressSettings: 'ALLOW_ALL', environmentVariables: image(...argv)}, ...more});

async function create(functionId, argv, more) {
  const [operation] = await client.createFunction({parent, functionId, function: spec(argv, more)});
  return (await operation.promise())[0];
}
async function remove(functionId) {
  const [operation] = await client.deleteFunction({name: `${parent}/functions/${functionId}`});
  await operation.promise();
}

add('create, get, invoke, delete', async () => {
  const made = await create('life', ['sh', '-c', 'echo hi; exit 3']);
  assert.equal(made.name, `${parent}/functions/life`);
  const [f] = await client.getFunction({name: made.name});
  assert.equal(f.state, 'ACTIVE');
  assert.equal(f.environment, 'GEN_2');
  assert.equal(f.labels.team, 'blue');
  assert.equal(f.serviceConfig.timeoutSeconds, 120);
  assert.equal(f.serviceConfig.ingressSettings, 'ALLOW_ALL');
  assert(f.createTime.seconds && f.serviceConfig.uri);
  const answer = await fetch(f.serviceConfig.uri, {method: 'POST'});
  assert.deepEqual([answer.status, answer.headers.get('x-sockerless-exit-code')], [200, '3']);
  await remove('life');
  assert.equal(status(await refused(client.getFunction({name: made.name}))), 404);
});
add('the operation of a create', async () => {
  const [operation] = await client.createFunction({parent, functionId: 'oper', function: spec(['true'])});
  await operation.promise();
  const checked = await client.checkCreateFunctionProgress(operation.name);
  assert(checked.done && checked.metadata.target.endsWith('/functions/oper'), JSON.stringify(checked.metadata));
  await remove('oper');
});
add('list, page by page and all', async () => {
  const names = ['list-a', 'list-b', 'list-c', 'list-d', 'list-e'];
  for (const n of names) await create(n, ['true']);
  const [all] = await client.listFunctions({parent, pageSize: 2});
  assert.deepEqual(all.map(f => f.name.split('/').pop()).sort(), names);
  const found = [];
  for await (const f of client.listFunctionsAsync({parent: `projects/${project}/locations/-`, pageSize: 3})) found.push(f.name);
  assert.equal(found.length, 5);
  for (const n of names) await remove(n);
});
add('a name that is none', async () => {
  const e = await refused(client.createFunction({parent, functionId: 'my fn', function: spec(['true'])}));
  assert(/Invalid function_id/.test(e.message), e.message);
});
add('the same name twice', async () => {
  await create('twice', ['true']);
  const e = await refused(client.createFunction({parent, functionId: 'twice', function: spec(['true'])}));
  assert.equal(status(e), 409);
  await remove('twice');
});
add('a runtime that is none', async () => {
  const e = await refused(client.createFunction({parent, functionId: 'cobol', function: spec(['true'], {buildConfig: {runtime: 'cobol60', entryPoint: 'x'}})}));
  assert(/cobol60/.test(e.message), e.message);
});
add('deleting what is not there', async () => assert.equal(status(await refused(client.deleteFunction({name: `${parent}/functions/none`}))), 404));

run('@google-cloud/functions', cases, {});
