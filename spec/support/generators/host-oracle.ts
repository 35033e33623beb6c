import tr46 from 'tr46';

/**
 * The canonical form of a host by the documented rule, implemented differently than in the library: characters by hand, IDNA by another
 * implementation, addresses by the URL Standard and RFC 5952.
 */
export function canonicalByRule(host: string): string | undefined {
  if (host.startsWith('[')) {
    return host.endsWith(']') ? ipv6(host.slice(1, -1)) : undefined;
  }

  for (const character of host) {
    const isWord = /^[A-Za-z0-9._-]$/.test(character);

    if ((character.charCodeAt(0) < 0x80 && !isWord) || /^\s$/.test(character)) {
      return undefined;
    }
  }

  const ascii = tr46.toASCII(host.endsWith('.') ? host.slice(0, -1) : host, IDNA);
  const labels = ascii === null ? [] : ascii.split('.');

  if (ascii === null || ascii.length > 253 || !labels.every(isLabel)) {
    return undefined;
  }

  if (NUMBER.test(labels.at(-1) as string)) {
    return ipv4(labels);
  }

  return labels.length > 1 && labels[0] === 'www' && !(labels.length > 2 && labels[1] === 'www') ? labels.slice(1).join('.') : ascii;
}

/**
 * Whether implementations of IDNA agree on the host. Each uses the tables of some version of Unicode. They differ in recently added scripts, and
 * in which labels may stand beside a right-to-left label.
 */
export function hasOneCanonicalForm(host: string): boolean {
  return [host, tr46.toUnicode(host, IDNA).domain].every(
    text => SETTLED.test(text) && !(RIGHT_TO_LEFT.test(text) && /[.。．｡]/.test(text)),
  );
}

/** The host of a `Host` header without its port. */
export function hostByRule(header: string): string | undefined {
  const [, host, port] = /^(\[[^\]]*\]|[^:]*)(?::([0-9]{0,5}))?$/.exec(header) ?? [];

  return host === undefined || Number(port === undefined || port === '' ? 0 : port) > 65_535 ? undefined : host;
}

function isLabel(label: string): boolean {
  return label.length > 0 && label.length < 64 && /^[a-z0-9_-]+$/.test(label) && !label.startsWith('-') && !label.endsWith('-');
}

function ipv4(parts: readonly string[]): string | undefined {
  const numbers = parts.map(part => {
    if (/^0x[0-9a-f]*$/.test(part)) {
      return part === '0x' ? 0n : BigInt(part);
    }

    if (/^0[0-7]+$/.test(part)) {
      return BigInt(`0o${part}`);
    }

    return /^(0|[1-9][0-9]*)$/.test(part) ? BigInt(part) : -1n;
  });
  const last = numbers.at(-1) as bigint;

  if (
    parts.length > 4 ||
    numbers.includes(-1n) ||
    numbers.slice(0, -1).some(number => number > 255n) ||
    last >= 256n ** BigInt(5 - parts.length)
  ) {
    return undefined;
  }

  const address = numbers.slice(0, -1).reduce((sum, number, index) => sum + number * 256n ** BigInt(3 - index), last);

  return [24n, 16n, 8n, 0n].map(shift => (address >> shift) & 255n).join('.');
}

function ipv6(text: string): string | undefined {
  const embedded = /^(.*:)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const bytes = embedded?.slice(2).map(Number) ?? [];

  if (bytes.some(byte => byte > 255) || embedded?.slice(2).some(byte => /^0\d/.test(byte)) === true) {
    return undefined;
  }

  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  const whole = embedded === null ? text : `${embedded[1]}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  const halves = whole.split('::').map(half => (half === '' ? [] : half.split(':')));
  const given = halves.flat();
  const missing = 8 - given.length;

  if (halves.length > 2 || !given.every(piece => /^[0-9a-f]{1,4}$/i.test(piece)) || (halves.length === 1 ? missing !== 0 : missing < 1)) {
    return undefined;
  }

  const pieces = [...(halves[0] ?? []), ...Array.from({ length: missing }, () => '0'), ...(halves[1] ?? [])].map(piece =>
    Number.parseInt(piece, 16),
  );
  const runs = [
    ...pieces
      .map(piece => (piece === 0 ? '0' : 'x'))
      .join('')
      .matchAll(/00+/g),
  ];
  const longest = runs.sort((one, other) => other[0].length - one[0].length || one.index - other.index)[0];
  const hex = (from: number, to: number): string =>
    pieces
      .slice(from, to)
      .map(piece => piece.toString(16))
      .join(':');

  return longest === undefined ? `[${hex(0, 8)}]` : `[${hex(0, longest.index)}::${hex(longest.index + longest[0].length, 8)}]`;
}

const NUMBER = /^(\d+|0x[0-9a-f]*)$/;

const SETTLED =
  // eslint-disable-next-line no-control-regex, no-misleading-character-class -- code points, each by itself
  /^[\u0000-\u024f\u0300-\u033f\u0391-\u03c9\u0400-\u045f\u05d0-\u05ea\u0621-\u064a\u0905-\u094d\u200b-\u202e\u2100-\u212a\u2460-\u24e9\u3001-\u3096\u30a1-\u30fe\u4e00-\u9fa5\ufb00-\ufb06\ufe12\uff01-\uff5e\uff61\ud800-\udfff\u{1f600}\u{1f4a9}]*$/u;

const RIGHT_TO_LEFT = /[\u05d0-\u064a]/;

const IDNA = {
  checkBidi: true,
  checkHyphens: false,
  checkJoiners: true,
  ignoreInvalidPunycode: false,
  transitionalProcessing: false,
  useSTD3ASCIIRules: false,
  verifyDNSLength: false,
};
