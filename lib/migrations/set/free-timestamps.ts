import type { NamingStrategy } from '@mikro-orm/core';

/**
 * Names of migrations with a second that no name in `taken` has. MikroORM names a migration after the second in which it is written, and
 * would write the second one of a second over the first.
 */
export class FreeTimestamps {
  readonly #taken: readonly string[];

  constructor(taken: readonly string[]) {
    this.#taken = taken;
  }

  /** The strategy, for the names of classes. */
  forClasses(strategy: NamingStrategy): NamingStrategy {
    return new Proxy(strategy, {
      get: (target, key) => {
        if (key === 'classToMigrationName') {
          return (timestamp: string, name?: string) => target.classToMigrationName(this.#free(timestamp), name);
        }

        // bound to the strategy, which may have private fields
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  /** The function, for the names of files. */
  forFiles(fileName: FileName): FileName {
    return (timestamp, name) => fileName(this.#free(timestamp), name);
  }

  #free(timestamp: string): string {
    return this.#taken.some(name => name.includes(timestamp)) ? this.#free(secondAfter(timestamp)) : timestamp;
  }
}

// `20261231235959`
function secondAfter(timestamp: string): string {
  const [year, ...rest] = [...(timestamp.match(/^\d{4}|\d\d/g) ?? [])].map(Number);
  const [month = 1, day = 1, hour = 0, minute = 0, second = 0] = rest;
  const date = new Date(Date.UTC(year ?? 0, month - 1, day, hour, minute, second + 1));

  return date.toISOString().replaceAll(/[-T:]|\.\d{3}Z$/g, '');
}

type FileName = (timestamp: string, name?: string) => string;
