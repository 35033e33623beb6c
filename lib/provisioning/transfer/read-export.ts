import { createHash } from 'node:crypto';
import { pipeline, type Readable } from 'node:stream';
import { TransferError } from '../../errors/index.js';
import { END_OF_ROWS } from '../../postgres/copy-text.js';
import { FORMAT, type ExportEnd, type ExportHeader, type ExportPart } from './export-format.js';
import type { OpenFile } from './spool.js';

/** Reads a file that `tenants().export()` has written, part by part, and knows at its end whether it is whole and unchanged. */
export class ExportReader {
  readonly header: ExportHeader;
  readonly #bytes: Bytes;

  private constructor(bytes: Bytes, header: ExportHeader) {
    this.#bytes = bytes;
    this.header = header;
  }

  /** @throws TransferError `IMPORT_INVALID`, `IMPORT_REFUSED` */
  static async open(open: OpenFile): Promise<ExportReader> {
    const bytes = new Bytes(open());
    const header = parse<ExportHeader>(await bytes.line());

    if (typeof header.landlordTenant !== 'number' || !Array.isArray(header.migrations)) {
      throw TransferError.invalid('its first line is not that of an export');
    }

    if (header.landlordTenant > FORMAT) {
      throw TransferError.refused(
        `it was written by a newer version of @landlord/mikro-orm, in format ${header.landlordTenant}, and this version reads ${FORMAT}`,
        'Import it with that version.',
      );
    }

    return new ExportReader(bytes, header);
  }

  /** The parts up to the end, which is checked. The rows of a table have to be read before the next part. */
  async *parts(): AsyncGenerator<Exclude<ExportPart, { readonly end: unknown }>> {
    for (;;) {
      const sha256 = this.#bytes.sha256;
      const part = parse<ExportPart>(await this.#bytes.line());

      if ('end' in part) {
        await this.#checkEnd(part.end, sha256);
        return;
      }

      yield part;
    }
  }

  rows(): AsyncGenerator<Buffer> {
    return this.#bytes.rows();
  }

  /** Closes the file, also before its end. */
  close(): void {
    this.#bytes.close();
  }

  async #checkEnd(end: ExportEnd, sha256: string): Promise<void> {
    if (end.sha256 !== sha256) {
      throw TransferError.invalid('its checksum is not that of its content, so it was changed');
    }

    if (!(await this.#bytes.isAtEnd())) {
      throw TransferError.invalid('something follows its end');
    }
  }
}

/** The uncompressed bytes of a file, with a checksum of what was taken. */
class Bytes {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #hash = createHash('sha256');
  readonly #close: () => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: Readable) {
    // loaded by what needs it alone
    const { createGunzip } = process.getBuiltinModule('node:zlib');
    const stream = pipeline(file, createGunzip(), () => undefined);
    this.#chunks = stream[Symbol.asyncIterator]();
    this.#close = () => {
      file.destroy();
      stream.destroy();
    };
  }

  get sha256(): string {
    return this.#hash.copy().digest('hex');
  }

  async line(): Promise<string> {
    const parts: Buffer[] = [];

    for (;;) {
      const end = this.#rest.indexOf(NEWLINE);

      if (end !== -1) {
        parts.push(this.#take(end + 1));

        return Buffer.concat(parts).subarray(0, -1).toString('utf8');
      }

      parts.push(this.#take(this.#rest.length));
      await this.#more();
    }
  }

  async *rows(): AsyncGenerator<Buffer> {
    // as if a line had ended before the first one
    let isAtStart = true;

    for (;;) {
      if (isAtStart) {
        while (this.#rest.length < LAST.length) {
          await this.#more();
        }

        if (this.#rest.subarray(0, LAST.length).equals(LAST)) {
          this.#take(LAST.length);
          return;
        }

        isAtStart = false;
      }

      const end = this.#rest.indexOf(AFTER_ROW);

      if (end !== -1) {
        const rows = this.#take(end + 1);
        this.#take(LAST.length);
        yield rows;
        return;
      }

      const safe = this.#rest.length - AFTER_ROW.length;

      if (safe > 0) {
        yield this.#take(safe);
      }

      await this.#more();
    }
  }

  async isAtEnd(): Promise<boolean> {
    return this.#rest.length === 0 && (await this.#next()).done === true;
  }

  close(): void {
    this.#close();
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    this.#hash.update(taken);

    return taken;
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#next();

    if (done === true) {
      throw TransferError.invalid('it has lost its end');
    }

    this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
  }

  async #next(): Promise<IteratorResult<Buffer>> {
    try {
      return await this.#chunks.next();
    } catch (error) {
      // what zlib says of a file that is cut, or was changed, or is no archive
      if (error instanceof Error && /^(Z_|ERR_STREAM_PREMATURE_CLOSE)/.test((error as NodeJS.ErrnoException).code ?? '')) {
        throw TransferError.invalid(`it cannot be uncompressed (${error.message})`, error);
      }

      throw error;
    }
  }
}

function parse<Line extends object>(line: string): Line {
  try {
    const parsed: unknown = JSON.parse(line);

    if (typeof parsed === 'object' && parsed !== null) {
      return parsed as Line;
    }
  } catch {
    // the same error as for JSON that is no object
  }

  throw TransferError.invalid('it has a line that cannot be read');
}

const NEWLINE = 0x0a;

const LAST = Buffer.from(`${END_OF_ROWS}\n`);

const AFTER_ROW = Buffer.from(`\n${END_OF_ROWS}\n`);
