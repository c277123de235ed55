import { formatInstant } from './time.ts';

/** Times in manifests and the age of backups are ours: beyond this they mislead. */
export const SKEW_MS_MAX = 5 * 60 * 1000;

export const SKEW_CURE =
  'Set the clock that is wrong: ages of backups, and with them what cleanup removes, are counted by this machine.';

/** What this machine and the server say the time is; null where they agree well enough. */
export function clockSkew(oursMs: number, theirsMs: number): string | null {
  if (Math.abs(oursMs - theirsMs) <= SKEW_MS_MAX) return null;
  return `this machine says ${formatInstant(Math.round(oursMs))}, the server ${formatInstant(theirsMs)}`;
}
