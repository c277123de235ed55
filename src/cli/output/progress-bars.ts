import type { Clock } from '../../kernel/clock.ts';
import type { OperationEvent, Phase } from '../../kernel/events.ts';
import { printable } from '../../kernel/printable.ts';
import { clipped, padded } from './layout.ts';
import { formatClock, formatCount, formatSize } from './quantities.ts';
import type { Screen } from './screen.ts';

const REDRAW_MS = 100;
/** Narrow enough for 80 columns, with everything that a line may hold. */
const NAME_WIDTH = 18;
const BAR_WIDTH = 10;
/** A rate is shown once it means something. */
const RATE_AFTER_MS = 500;

type Progress = Extract<OperationEvent, { type: 'progress' }>;

interface Track {
  readonly phase: Phase;
  readonly startedAt: number;
  readonly progress: Progress;
}

/** Bars for everything that is under way, drawn from events alone. */
export class ProgressBars {
  readonly #screen: Screen;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #tracks = new Map<string, Track>();
  #operation = '';
  #objectCount = 0;
  #finished = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(screen: Screen, clock: Pick<Clock, 'monotonic'>) {
    this.#screen = screen;
    this.#clock = clock;
  }

  onEvent(event: OperationEvent): void {
    switch (event.type) {
      case 'run:started':
        this.#operation = event.operation;
        this.#objectCount = event.objects.length;
        this.#finished = 0;
        break;
      case 'progress': {
        const known = this.#tracks.get(event.object);
        const startedAt = known?.phase === event.phase ? known.startedAt : this.#clock.monotonic();
        this.#tracks.set(event.object, { phase: event.phase, startedAt, progress: event });
        break;
      }
      case 'object:finished':
      case 'object:failed':
        this.#tracks.delete(event.object);
        this.#finished++;
        break;
      default:
        return;
    }
    const now = this.#clock.monotonic();
    if (now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    this.#screen.draw(this.lines(now));
  }

  close(): void {
    this.#tracks.clear();
    this.#screen.erase();
  }

  lines(now: number): string[] {
    const shown = [...this.#tracks.values()].slice(0, Math.max(1, this.#screen.rows - 3));
    const hidden = this.#tracks.size - shown.length;
    return [
      ...(this.#objectCount > 1
        ? [
            `${this.#operation}: ${this.#finished} of ${this.#objectCount} done${hidden > 0 ? `, ${hidden} more at work` : ''}`,
          ]
        : []),
      ...shown.map((track) => barLine(track, now)),
    ];
  }
}

function barLine({ progress, startedAt }: Track, now: number): string {
  const { done, total, unit, bytes, phase, object } = progress;
  const elapsedMs = now - startedAt;
  const parts = [padded(clipped(printable(object), NAME_WIDTH), NAME_WIDTH), padded(phase, 11)];
  if (total !== undefined && total > 0) {
    const part = Math.min(1, done / total);
    const filled = Math.round(part * BAR_WIDTH);
    parts.push(
      `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${String(Math.floor(part * 100)).padStart(3)} %`,
    );
  }
  parts.push(unit === 'bytes' ? formatSize(done) : `${formatCount(done)} docs`);
  if (unit === 'documents' && bytes !== undefined) parts.push(formatSize(bytes));
  if (elapsedMs >= RATE_AFTER_MS) {
    const perMs = (unit === 'bytes' ? done : (bytes ?? done)) / elapsedMs;
    const perSecond = Math.round(perMs * 1000);
    parts.push(
      unit === 'documents' && bytes === undefined
        ? `${formatCount(perSecond)}/s`
        : `${formatSize(perSecond)}/s`,
    );
    if (total !== undefined && done > 0 && done <= total) {
      parts.push(`ETA ${formatClock(((total - done) / done) * elapsedMs)}`);
    }
  }
  return parts.join(' ');
}
