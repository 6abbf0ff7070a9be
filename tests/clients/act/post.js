// SPDX-License-Identifier: Apache-2.0
console.log('post step has ' + process.env.STATE_kept);
