// usage: node scripts/complete-lock.mjs
// Run it after every change of dependencies, and commit package-lock.json as it then is.
//
// Tools with a native part list one optional package for each platform. npm leaves those that the registry at hand does
// not serve out of the lock that it writes, and then refuses that lock ("Missing: … from lock file"). This adds them
// as npm itself writes them, so that `npm ci` takes the lock with every npm and beside every registry.
import { readFileSync, writeFileSync } from 'node:fs';

const file = 'package-lock.json';
const lock = JSON.parse(readFileSync(file, 'utf8'));
const entries = lock.packages;
const before = Object.keys(entries).length;

for (const [path, entry] of Object.entries(entries)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    if (!isFound(name, path)) entries[`node_modules/${name}`] = platformEntry(name, range, entry.dev);
  }
}
lock.packages = Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${Object.keys(entries).length - before} platform packages added to ${file}`);

/** Whether a package at `path` finds `name` in its own node_modules or in one further up. */
function isFound(name, path) {
  for (
    let folder = path;
    folder !== '';
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))
  ) {
    if (`${folder}/node_modules/${name}` in entries) return true;
  }
  return `node_modules/${name}` in entries;
}

function platformEntry(name, range, dev) {
  const platform = name.split('/').pop();
  const os = /android|darwin|win32|freebsd|openharmony|linux|sunos|aix|netbsd|openbsd/.exec(platform)?.[0];
  const cpu = /arm64|x64|ia32|riscv64|ppc64|s390x|loong64|arm/.exec(platform)?.[0];
  return {
    version: range.replace(/^\D*/, ''),
    ...(dev && { dev }),
    optional: true,
    ...(os && { os: [os] }),
    ...(cpu && { cpu: [cpu] }),
    ...(os === 'linux' && { libc: [platform.includes('musl') ? 'musl' : 'glibc'] }),
  };
}
