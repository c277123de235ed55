export type Period = 'day' | 'week' | 'month' | 'year';

/**
 * What keeps a good full backup.
 * - `within`: it is at most so many days old
 * - `last`: it is one of the newest so many
 * - `first-of`: it is the first of its period, and at most `within` days old or of one of the `count` newest periods
 */
export type RetentionRule =
  | { readonly kind: 'within'; readonly days: number }
  | { readonly kind: 'last'; readonly count: number }
  | { readonly kind: 'first-of'; readonly period: Period; readonly within: number }
  | { readonly kind: 'first-of'; readonly period: Period; readonly count: number };

/** The specification's: seven days, four weeks, twelve months. */
export const SPECIFIED_RULES: readonly RetentionRule[] = [
  { kind: 'within', days: 7 },
  { kind: 'first-of', period: 'week', within: 28 },
  { kind: 'first-of', period: 'month', within: 365 },
];
