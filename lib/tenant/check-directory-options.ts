import { show } from '../errors/tenant-error.js';
import type { DirectoryOptions } from './directory-options.js';

/** All that is wrong with the options of the directory. */
export function directoryProblems(options: DirectoryOptions = {}): string[] {
  const { listen, trigger, onUnavailable } = options;
  const problems = COUNTS.filter(
    name => options[name] !== undefined && !(Number.isInteger(options[name]) && Number(options[name]) > 0),
  ).map(name => `\`directory.${name}\` is ${show(options[name])}. Give a whole number above zero.`);

  if (listen !== undefined && typeof listen !== 'boolean' && !isPostgresUrl(listen?.url)) {
    // not shown, as there may be a password in it
    problems.push('`directory.listen` is neither true, false nor `{ url }` with the URL of a PostgreSQL database: `postgres://…`.');
  }

  if (trigger !== undefined && typeof trigger !== 'boolean') {
    problems.push(`\`directory.trigger\` is ${show(trigger)}. Give true or false.`);
  }

  if (onUnavailable !== undefined && !['serve', 'refuse'].includes(onUnavailable)) {
    problems.push(`\`directory.onUnavailable\` is ${show(onUnavailable)}. Give 'serve' or 'refuse'.`);
  }

  return problems;
}

function isPostgresUrl(url: unknown): boolean {
  return typeof url === 'string' && /^postgres(ql)?:/.test(url) && URL.canParse(url);
}

const COUNTS = ['max', 'ttlMs', 'unknownMax', 'unknownTtlMs', 'lookupTimeoutMs'] as const;
