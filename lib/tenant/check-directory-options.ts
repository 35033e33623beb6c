import { show } from '../errors/tenant-error.js';
import type { DirectoryOptions } from './directory-options.js';

/** Returns every problem of the `directory` options. */
export function directoryProblems(options: DirectoryOptions = {}): string[] {
  const { listen, trigger, onUnavailable } = options;
  const problems = POSITIVE_INTEGERS.filter(
    name => options[name] !== undefined && !(Number.isInteger(options[name]) && Number(options[name]) > 0),
  ).map(name => `\`directory.${name}\` is ${show(options[name])}, but must be a whole number above zero.`);

  if (listen !== undefined && typeof listen !== 'boolean' && !isPostgresUrl(listen?.url)) {
    // the value is not shown, because a URL may contain a password
    problems.push('`directory.listen` must be true, false or `{ url }` with the URL of a PostgreSQL database (`postgres://…`).');
  }

  if (trigger !== undefined && typeof trigger !== 'boolean') {
    problems.push(`\`directory.trigger\` is ${show(trigger)}, but must be true or false.`);
  }

  if (onUnavailable !== undefined && !['serve', 'refuse'].includes(onUnavailable)) {
    problems.push(`\`directory.onUnavailable\` is ${show(onUnavailable)}, but must be 'serve' or 'refuse'.`);
  }

  return problems;
}

function isPostgresUrl(url: unknown): boolean {
  return typeof url === 'string' && /^postgres(ql)?:/.test(url) && URL.canParse(url);
}

const POSITIVE_INTEGERS = ['max', 'ttlMs', 'unknownMax', 'unknownTtlMs', 'lookupTimeoutMs'] as const;
