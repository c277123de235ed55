#!/usr/bin/env node
// No imports and no syntax newer than Node 12's: under an old Node this file still has to say what is wrong.
const found = process.versions.node;
if (Number(found.split('.')[0]) < 24) {
  process.stderr.write(
    `zerodb-backup needs Node 24 or newer, but this is Node ${found} (${process.execPath}).\n`,
  );
  process.exitCode = 2;
} else {
  // a failure of its own is left to Node, which prints it and exits with 1
  void import('./main.ts').then((edge) => edge.main(process));
}

export {};
