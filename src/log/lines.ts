/** Lines to a stream that may be slow or gone: back-pressure is respected, what waits has a bound, what is dropped is said. */

/** The part of a Writable that is used. */
export type LineStream = {
  write(text: string): boolean;
  on(event: 'drain', listener: () => void): unknown;
  on(event: 'error' | 'close', listener: (error?: Error) => void): unknown;
};

export type LineWriter = {
  readonly write: (line: string) => void;
  /** Lines that were never written. */
  readonly dropped: number;
  /** The reader went away (`postern run | head`): lines end here from then on. */
  readonly gone: boolean;
};

/** Characters that may wait while the stream says "no more". */
const BOUND = 1024 * 1024;

/**
 * Makes a writer of lines for one stream.
 *
 * @param name what stands in front of the notice about dropped lines
 * @param onGone called once when the stream fails or closes
 */
export function lineWriter(
  stream: LineStream,
  name: string,
  o: { readonly bound?: number; readonly onGone?: () => void } = {},
): LineWriter {
  const bound = o.bound ?? BOUND;
  let waiting: string[] = [];
  let size = 0;
  let full = false;
  let dropped = 0;
  let unsaid = 0;
  let gone = false;
  const leave = () => {
    if (gone) return;
    gone = true;
    waiting = [];
    o.onGone?.();
  };
  stream.on('error', leave);
  stream.on('close', leave);
  stream.on('drain', () => {
    full = false;
    if (gone) return;
    const text = waiting.join('');
    const notice = unsaid === 0 ? '' : `${name}: ${unsaid} lines dropped, the reader is too slow\n`;
    waiting = [];
    size = 0;
    unsaid = 0;
    if (text + notice !== '') full = !stream.write(text + notice);
  });
  return {
    write(line) {
      if (gone) dropped += 1;
      else if (!full) full = !stream.write(`${line}\n`);
      else if (unsaid > 0 || size + line.length >= bound) {
        // Once one line is missing the rest waits for the notice: no silent gap in the middle.
        dropped += 1;
        unsaid += 1;
      } else {
        size += line.length + 1;
        waiting.push(`${line}\n`);
      }
    },
    get dropped() {
      return dropped;
    },
    get gone() {
      return gone;
    },
  };
}
