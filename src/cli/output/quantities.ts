/** Numbers as people read them. */

const KB = 1024;
const MB = 1024 * 1024;

/** `812 B`, `125 KB`, `2.1 MB`, as in the specification's example. */
export function formatSize(bytes: number): string {
  if (bytes < KB) return `${bytes} B`;
  // what would round to 1024 KB is a megabyte
  if (bytes < MB - KB / 2) return `${Math.round(bytes / KB)} KB`;
  return `${(bytes / MB).toFixed(1)} MB`;
}

/** Megabytes with three decimals, for scripts that add them up. */
export function formatMegabytes(bytes: number): string {
  return (bytes / MB).toFixed(3);
}

/** `12,345` */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `0.42 seconds`, as the specification's predecessor printed it. */
export function formatSeconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} seconds`;
}

/** `0:07`, `12:34`, `3:05:00` */
export function formatClock(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
  const hours = Math.floor(seconds / 3600);
  const padded = parts.map((part) => String(part).padStart(2, '0')).join(':');
  return hours > 0 ? `${hours}:${padded}` : padded.replace(/^0/, '');
}

/** `2025-01-09 14:30:00` from a stored time. */
export function formatTime(stored: string): string {
  return stored.slice(0, 19).replace('T', ' ');
}

/** `3 d 4 h`, `12 min 5 s`, `0 s` */
export function formatAge(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const parts = [
    `${Math.floor(seconds / 86_400)} d`,
    `${Math.floor(seconds / 3600) % 24} h`,
    `${Math.floor(seconds / 60) % 60} min`,
    `${seconds % 60} s`,
  ];
  const first = parts.findIndex((part) => !part.startsWith('0 '));
  return first === -1 ? '0 s' : parts.slice(first, first + 2).join(' ');
}
