// @google-cloud/run over REST: services made, patched, listed, called and deleted; revisions; policies.
// SPDX-License-Identifier: Apache-2.0
process.env.METADATA_SERVER_DETECTION = 'none';
const assert = require('assert');
const {options, project, refused, region, run, status} = require('./casebook.js');
const {ServicesClient, RevisionsClient} = require('@google-cloud/run').v2;

const services = new ServicesClient(options());
const revisions = new RevisionsClient(options());
const parent = `projects/${project}/locations/${region}`;
const cases = [];
const add = (name, fn) => cases.push([name, fn]);
// answers every connection with one line and ends
const server = word => ({image: 'busybox', command: ['sh'], args: ['-c',
  `printf '#!/bin/sh\\nread x; printf "HTTP/1.1 200 OK\\\\r\\\\nContent-Length: ${word.length}\\\\r\\\\nConnection: close\\\\r\\\\n\\\\r\\\\n${word}"' >/s; chmod +x /s; exec nc -ll -p $PORT -e /s`]});

async function create(serviceId, word) {
  const [operation] = await services.createService({parent, serviceId, service: {labels: {team: 'blue'}, template: {containers: [server(word)], timeout: {seconds: 60}}}});
  return (await operation.promise())[0];
}
async function remove(serviceId) {
  const [operation] = await services.deleteService({name: `${parent}/services/${serviceId}`});
  await operation.promise();
}

add('create, get, call, delete', async () => {
  const made = await create('web', 'hello');
  assert.equal(made.name, `${parent}/services/web`);
  assert([4, 'CONDITION_SUCCEEDED'].includes(made.terminalCondition.state)); // an operation's answer is not decoded in full
  const [s] = await services.getService({name: made.name});
  assert.equal(s.labels.team, 'blue');
  assert.equal(s.template.timeout.seconds, 60);
  assert.equal(await (await fetch(s.uri)).text(), 'hello');
  await remove('web');
  assert.equal(status(await refused(services.getService({name: made.name}))), 404);
});
add('update: what is called then is the new one', async () => {
  const made = await create('renewed', 'first');
  const [s] = await services.getService({name: made.name});
  s.template.containers[0] = server('second');
  s.template.revision = '';
  const [operation] = await services.updateService({service: {name: s.name, template: s.template, etag: s.etag}, updateMask: {paths: ['template']}});
  const [updated] = await operation.promise();
  assert.notEqual(updated.latestReadyRevision, made.latestReadyRevision);
  assert.equal(await (await fetch(updated.uri)).text(), 'second');
  const [all] = await revisions.listRevisions({parent: made.name});
  assert.equal(all.length, 2);
  const [one] = await revisions.getRevision({name: all[0].name});
  assert.equal(one.name, all[0].name);
  await remove('renewed');
});
add('list', async () => {
  for (const n of ['list-a', 'list-b', 'list-c']) await create(n, 'x');
  const [all] = await services.listServices({parent, pageSize: 2});
  assert.deepEqual(all.map(s => s.name.split('/').pop()).sort(), ['list-a', 'list-b', 'list-c']);
  for (const n of ['list-a', 'list-b', 'list-c']) await remove(n);
});
add('policies', async () => {
  const made = await create('open', 'x');
  const [policy] = await services.getIamPolicy({resource: made.name});
  policy.bindings = [{role: 'roles/run.invoker', members: ['allUsers']}];
  const [set] = await services.setIamPolicy({resource: made.name, policy});
  assert.equal(set.bindings[0].members[0], 'allUsers');
  const [asked] = await services.testIamPermissions({resource: made.name, permissions: ['run.routes.invoke']});
  assert.deepEqual(asked.permissions, ['run.routes.invoke']);
  await remove('open');
});
add('a service that is none', async () => {
  const e = await refused(create('Bad_Name', 'x'));
  assert.equal(status(e), 400);
});

run('@google-cloud/run', cases, {});
