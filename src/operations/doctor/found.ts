import type { DoctorCheck } from '../../model/report.ts';

/** What one look has shown. */
export type Found = Omit<DoctorCheck, 'name'>;

export function good(message: string): Found {
  return { outcome: 'good', message };
}

export function warning(message: string, cure: string): Found {
  return { outcome: 'warning', message, cure };
}
