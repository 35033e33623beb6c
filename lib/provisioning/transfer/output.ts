import { createHash } from 'node:crypto';
import { PassThrough, type Readable } from 'node:stream';

/** A stream to be written bit by bit, no faster than it is read. Keeps a checksum of what was written. */
export class Output {
  readonly #stream = new PassThrough();
  readonly #hash = createHash('sha256');
  #bytes = 0;

  get readable(): Readable {
    return this.#stream;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The checksum of all that was written until now. */
  get sha256(): string {
    return this.#hash.copy().digest('hex');
  }

  async write(chunk: Buffer | string): Promise<void> {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    this.#hash.update(bytes);
    this.#bytes += bytes.length;

    if (this.#stream.destroyed) {
      throw this.#stream.errored ?? new Error('The stream was closed before the end of the export.');
    }

    if (!this.#stream.write(bytes)) {
      await this.#drained();
    }
  }

  /** Leaves no listener behind: there are as many waits as a large export has parts. */
  #drained(): Promise<void> {
    return new Promise(resolve => {
      const goOn = (): void => {
        this.#stream.off('drain', goOn).off('close', goOn);
        resolve();
      };
      this.#stream.on('drain', goOn).on('close', goOn);
    });
  }

  end(): void {
    this.#stream.end();
  }

  destroy(error: unknown): void {
    this.#stream.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}
