import type { Clock } from '../../kernel/clock.ts';
import type { OperationEvent } from '../../kernel/events.ts';
import type { Log } from '../../kernel/log.ts';
import { estimateLine } from './estimate-line.ts';
import { formatCount, formatSize } from './quantities.ts';

/** One object says how far it is at most this often. */
const PROGRESS_EVERY_MS = 10_000;

/** Events as lines of a log. */
export class EventLog {
  readonly #log: Log;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #toldAt = new Map<string, number>();

  constructor(log: Log, clock: Pick<Clock, 'monotonic'>) {
    this.#log = log;
    this.#clock = clock;
  }

  onEvent(event: OperationEvent): void {
    const object = 'object' in event && event.object !== undefined ? `${event.object}: ` : '';
    switch (event.type) {
      case 'run:started': {
        const run = event.run_id === undefined ? '' : ` (run ${event.run_id})`;
        this.#log.write('info', `${event.operation} started: ${event.objects.join(', ')}${run}`);
        break;
      }
      case 'object:started':
        this.#toldAt.set(event.object, this.#clock.monotonic());
        this.#log.write('info', `${object}started`);
        break;
      case 'progress':
        this.#progress(event);
        break;
      case 'estimate':
        this.#log.write('info', estimateLine(event));
        break;
      case 'object:finished':
        this.#log.write('info', `${object}${event.outcome}`);
        break;
      case 'object:failed':
        this.#log.write('error', `${object}${event.message} (${event.code})`);
        break;
      case 'warning':
        // one of the fourteen that this project does not have: worth a line, not a worry
        this.#log.write(
          event.code === 'COLLECTION_SKIPPED' ? 'info' : 'warn',
          `${object}${event.message} (${event.code})`,
        );
    }
  }

  #progress(event: Extract<OperationEvent, { type: 'progress' }>): void {
    const now = this.#clock.monotonic();
    const toldAt = this.#toldAt.get(event.object);
    if (toldAt !== undefined && now - toldAt < PROGRESS_EVERY_MS) return;
    this.#toldAt.set(event.object, now);
    if (toldAt === undefined) return;
    const amount = (count: number): string =>
      event.unit === 'bytes' ? formatSize(count) : formatCount(count);
    const total = event.total === undefined ? '' : ` of ${amount(event.total)}`;
    const unit = event.unit === 'documents' ? ' documents' : '';
    this.#log.write('info', `${event.object}: ${event.phase}: ${amount(event.done)}${total}${unit}`);
  }
}
