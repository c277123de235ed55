import { readFileSync, readlinkSync } from 'node:fs';
import { homedir, hostname, release } from 'node:os';
import process from 'node:process';
import type { Host } from '../kernel/host.ts';

export function createProcessHost(): Host {
  return {
    env: process.env,
    pid: process.pid,
    hostname: hostname(),
    processSpace: processSpace(),
    isProcessAlive,
    homeDirectory: homedir(),
    workingDirectory: process.cwd(),
    system: `Node ${process.versions.node}, ${process.platform} ${release()} ${process.arch}`,
    toolVersion: packageVersion(),
  };
}

/** Two machines may share a name; containers of one machine share its kernel and not their processes. */
function processSpace(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${hostname()} ${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return `${hostname()} ${process.platform}`; // not Linux
  }
}

function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    // one of another user is there and may not be signalled
    return (thrown as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function packageVersion(): string {
  // the same two steps up from src/platform and from dist/platform
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
