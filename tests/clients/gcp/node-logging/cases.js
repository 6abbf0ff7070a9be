// @google-cloud/logging over REST: entries written, read in pages and streams, logs listed and deleted, errors.
// SPDX-License-Identifier: Apache-2.0
process.env.METADATA_SERVER_DETECTION = 'none';
const assert = require('assert');
const {options, project, refused, run} = require('./casebook.js');
const {Logging} = require('@google-cloud/logging');

const logging = new Logging(options());
const cases = [];
const add = (name, fn) => cases.push([name, fn]);
const own = name => `logName="projects/${project}/logs/${encodeURIComponent(name)}"`;
const data = entries => entries.map(e => e.data).filter(d => !d['logging.googleapis.com/diagnostic']);

add('write and read', async () => {
  const log = logging.log('node/log');
  await log.write([log.entry({severity: 'ERROR', labels: {a: 'b'}}, 'text'), log.entry({severity: 'INFO'}, {user: 'ann', n: 3})]);
  const [entries] = await logging.getEntries({filter: own('node/log'), orderBy: 'timestamp asc'});
  assert.deepEqual(data(entries), ['text', {user: 'ann', n: 3}]);
  const first = entries.find(e => e.data === 'text');
  assert.equal(first.metadata.severity, 'ERROR');
  assert.equal(first.metadata.labels.a, 'b');
  assert(first.metadata.timestamp instanceof Date && first.metadata.insertId);
});
add('severity methods', async () => {
  const log = logging.log('levels');
  await log.warning(log.entry('careful'));
  await log.debug(log.entry('detail'));
  const [entries] = await logging.getEntries({filter: `${own('levels')} severity>=WARNING`});
  assert.deepEqual(data(entries), ['careful']);
});
add('log.getEntries', async () => {
  const [entries] = await logging.log('levels').getEntries({pageSize: 10});
  assert.deepEqual(data(entries).sort(), ['careful', 'detail']);
});
add('pages, one by one', async () => {
  const log = logging.log('pages');
  const start = Date.now() - 60000;
  await log.write([...Array(25).keys()].map(i => log.entry({timestamp: new Date(start + i)}, `line ${i}`)));
  const found = [];
  let query = {filter: own('pages'), orderBy: 'timestamp asc', pageSize: 10, autoPaginate: false};
  let pages = 0;
  while (query) {
    const [entries, next] = await logging.getEntries(query);
    found.push(...data(entries));
    query = next && next.pageToken ? next : null;
    pages++;
  }
  assert.deepEqual(found, [...Array(25).keys()].map(i => `line ${i}`));
  assert(pages >= 3);
});
add('newest first', async () => {
  const [entries] = await logging.getEntries({filter: own('pages'), orderBy: 'timestamp desc', pageSize: 100});
  assert.deepEqual(data(entries), [...Array(25).keys()].map(i => `line ${24 - i}`));
});
add('a stream of entries', async () => {
  const found = [];
  await new Promise((ok, no) => logging.getEntriesStream({filter: own('pages'), pageSize: 10}).on('data', e => found.push(e.data)).on('end', ok).on('error', no));
  assert.equal(found.length, 25);
});
add('fields of an entry', async () => {
  const log = logging.log('fields');
  await log.write(log.entry({httpRequest: {status: 404, requestMethod: 'GET', latency: {seconds: 1, nanos: 5e8}}, operation: {id: 'o', first: true}, trace: `projects/${project}/traces/t`,
    spanId: '0a', traceSampled: true, sourceLocation: {file: 'f.js', line: 7, function: 'g'}, insertId: 'mine', resource: {type: 'gce_instance', labels: {zone: 'z'}}}, {x: [1, null, {y: true}]}));
  const [entries] = await logging.getEntries({filter: `${own('fields')} httpRequest.status=404 httpRequest.latency>1s insertId=mine`});
  const [{metadata, data: payload}] = entries;
  assert.deepEqual(payload, {x: [1, null, {y: true}]});
  assert.equal(metadata.httpRequest.status, 404);
  assert.equal(metadata.operation.id, 'o');
  assert.equal(metadata.resource.labels.zone, 'z');
  assert.equal(metadata.sourceLocation.file, 'f.js');
});
add('a filter that is none', async () => {
  const e = await refused(logging.getEntries({filter: 'a = b:c'}));
  assert(/syntax error at line 1, column 6, token ':'/.test(e.message), e.message);
});
add('a field that is none', async () => {
  const e = await refused(logging.getEntries({filter: 'thud=1'}));
  assert(/Field not found: 'thud'/.test(e.message), e.message);
});
add('logs by name', async () => {
  const [logs] = await logging.getLogs();
  assert(logs.map(l => l.name).includes('node/log') || logs.map(l => l.formattedName_).includes(`projects/${project}/logs/node%2Flog`), JSON.stringify(logs.map(l => l.name)));
});
add('a log is deleted', async () => {
  await logging.log('fields').delete();
  const [entries] = await logging.getEntries({filter: own('fields')});
  assert.equal(entries.length, 0);
  const e = await refused(logging.log('fields').delete());
  assert(/does not exist/.test(e.message), e.message);
});
add('writing what is none', async () => {
  const log = logging.log('bad');
  const e = await refused(log.write(log.entry({timestamp: new Date('2099-01-01')}, 'x'), {partialSuccess: false}));
  assert(/24 hours/.test(e.message), e.message);
});

run('@google-cloud/logging', cases, {'tailEntries': 'a stream in both directions: gRPC alone', 'sinks, metrics, buckets': 'the simulator keeps entries and logs, no exports'});
