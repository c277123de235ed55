// Guards npm scripts: with `ignore-scripts`, or where the install script of the pinned `node` package was
// denied, npm falls back without a word to the system's Node. Runs under any Node since 12.
const found = process.versions.node;
if (Number(found.split('.')[0]) < 24) {
  console.error(
    'zerodb-backup needs Node 24 or newer, but this script runs on Node ' +
      found +
      '.\n' +
      'The project pins one: run `npm ci` without --ignore-scripts, then `npm run …` again.',
  );
  process.exit(1);
}
