// What Google's clients for Node share: cases in order, run.py's lines, no credentials.
// SPDX-License-Identifier: Apache-2.0
const url = new URL(process.env.SIM_URL);

exports.project = process.env.SIM_PROJECT;
exports.region = process.env.SIM_REGION;

// An OAuth client that signs nothing: the simulator asks for no token.
exports.authClient = () => {
  const {OAuth2Client} = require('google-auth-library');
  const client = new OAuth2Client();
  client.setCredentials({access_token: 'tok', expiry_date: Date.now() + 3600e3});
  return client;
};

// REST instead of gRPC, over HTTP, at the simulator.
exports.options = () => ({fallback: true, protocol: 'http', apiEndpoint: url.hostname, port: Number(url.port), projectId: exports.project, authClient: exports.authClient()});

exports.until = async (test, what) => {
  for (const end = Date.now() + 30e3; ; await new Promise(ok => setTimeout(ok, 50))) {
    const value = await test();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what} did not happen`);
  }
};

exports.refused = async promise => {
  try {
    await promise;
  } catch (e) {
    return e;
  }
  throw new Error('it was not refused');
};

// The status of an error: older clients give HTTP's, newer ones gRPC's.
const GRPC = {3: 400, 5: 404, 6: 409};
exports.status = e => GRPC[e.code] || e.code;

exports.run = async (name, cases, skips) => {
  console.log(`version - ${require(`${name}/package.json`).version}`);
  for (const [title, fn] of cases) {
    try {
      await fn();
      console.log(`ok - ${title}`);
    } catch (e) {
      console.log(`not ok - ${title}: ${String(e.stack || e).split('\n').slice(0, 4).join(' | ')}`);
    }
  }
  for (const [title, why] of Object.entries(skips)) console.log(`skip - ${title}: ${why}`);
  process.exit(0);
};
