import { ResolverError } from '../../errors/index.js';
import { pathOf } from './web-request.js';

/** The beginning of a path that names a tenant, such as `/t/:tenant`. */
export class PathPattern {
  readonly #segments: readonly string[];

  /** @throws ResolverError `RESOLVER_INVALID` if the pattern has not exactly one `:name`. */
  constructor(pattern: string) {
    const segments = pattern.split('/').slice(1);

    if (!pattern.startsWith('/') || segments.some(each => !SEGMENT.test(each)) || segments.filter(isParameter).length !== 1) {
      throw ResolverError.invalidPattern(pattern);
    }

    this.#segments = segments;
  }

  /** How many parts between slashes it has. */
  get length(): number {
    return this.#segments.length;
  }

  /** What a path names. Undefined for a path that does not begin like this. */
  match(path: string): MatchedPath | undefined {
    const segments = this.#segments;
    const sent = path.split('/').slice(1, segments.length + 1);
    const isMatch = segments.every((segment, index) => (isParameter(segment) ? sent[index] : sent[index] === segment));
    const value = isMatch ? decode(sent[segments.findIndex(isParameter)] ?? '') : undefined;

    return value === undefined ? undefined : { value, mountPath: `/${sent.join('/')}` };
  }

  /** The same for the target of a request, with its query, or a URL. */
  matchTarget(target: string): MatchedPath | undefined {
    return this.match(pathOf(target));
  }
}

interface MatchedPath {
  /** What the parameter stands for, decoded. */
  readonly value: string;
  /** The part of the path that names the tenant, as it was sent. */
  readonly mountPath: string;
}

function isParameter(segment: string): boolean {
  return segment.startsWith(':');
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

// a parameter, or what a path has as it is
const SEGMENT = /^(?::\w+|[\w.~-]+)$/;
