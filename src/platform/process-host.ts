import { readFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import process from 'node:process';
import type { Host } from '../kernel/host.ts';

export function createProcessHost(): Host {
  return {
    env: process.env,
    pid: process.pid,
    hostname: hostname(),
    homeDirectory: homedir(),
    workingDirectory: process.cwd(),
    toolVersion: packageVersion(),
  };
}

function packageVersion(): string {
  // the same two steps up from src/platform and from dist/platform
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
