import { z } from 'zod';
import { FORMAT } from './canonical-record.ts';

/**
 * A plan as a file: a line that says what it is for, a line for each change (Change), and a last one with their number
 * and SHA-256 of all bytes before it. JSON, UTF-8.
 */
export const planHeadSchema = z.looseObject({
  format: z.literal(FORMAT),
  kind: z.literal('restore-plan'),
  backup_id: z.string(),
  mode: z.enum(['replace', 'merge', 'exact']),
  ids: z.array(z.string()).nullable(),
  allow_partial: z.boolean(),
  target: z.looseObject({ host: z.string(), project: z.string().nullable() }),
  target_collection: z.string(),
});
export const planEndSchema = z.looseObject({ changes: z.int().nonnegative(), sha256: z.string() });

export type PlanHead = z.infer<typeof planHeadSchema>;
export type PlanEnd = z.infer<typeof planEndSchema>;
