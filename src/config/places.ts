import { isAbsolute, join } from 'node:path';
import type { Host } from '../kernel/host.ts';

/** Where things are kept on this machine unless somebody says otherwise (XDG base directories). */

/** Absolute form of a path as users write it: relative to the working directory, `~/` being the home directory. */
export function absolutePath(host: Host, path: string): string {
  if (path === '~' || path.startsWith('~/')) return join(host.homeDirectory, path.slice(1));
  return isAbsolute(path) ? path : join(host.workingDirectory, path);
}

export function defaultStateDirectory(host: Host): string {
  return join(baseDirectory(host, 'XDG_STATE_HOME', '.local/state'), 'zerodb-backup');
}

/** Where backups of a project wait until each of several stores has them. @param stores stands for the set of these stores */
export function spoolDirectory(
  stateDirectory: string,
  serverHost: string,
  project: string | undefined,
  stores: string,
): string {
  return join(stateDirectory, 'spool', `${projectDirectory(serverHost, project)}-${stores}`);
}

function projectDirectory(serverHost: string, project: string | undefined): string {
  const name = [serverHost, ...(project === undefined ? [] : [project])].join('-');
  return name.toLowerCase().replace(/[^a-z0-9.-]+/g, '_');
}

/** A relative path in one of these variables is to be ignored, says the XDG specification. */
function baseDirectory(host: Host, variable: string, usual: string): string {
  const named = host.env[variable];
  return named !== undefined && isAbsolute(named) ? named : join(host.homeDirectory, usual);
}
