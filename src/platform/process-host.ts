import { readFileSync } from 'node:fs';
import { homedir, hostname, release } from 'node:os';
import process from 'node:process';
import type { Host } from '../kernel/host.ts';

export function createProcessHost(): Host {
  return {
    env: process.env,
    pid: process.pid,
    hostname: hostname(),
    homeDirectory: homedir(),
    workingDirectory: process.cwd(),
    system: `Node ${process.versions.node}, ${process.platform} ${release()} ${process.arch}`,
    toolVersion: packageVersion(),
  };
}

function packageVersion(): string {
  // the same two steps up from src/platform and from dist/platform
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
