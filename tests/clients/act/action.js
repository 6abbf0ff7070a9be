// A JavaScript action without a library: input, output, state for its post step.
// SPDX-License-Identifier: Apache-2.0
const fs = require('fs');
const os = require('os');
fs.appendFileSync(process.env.GITHUB_OUTPUT, `greeting=hello ${process.env.INPUT_WHO}${os.EOL}`);
fs.appendFileSync(process.env.GITHUB_STATE, `kept=over${os.EOL}`);
console.log('action ran in ' + process.cwd());
