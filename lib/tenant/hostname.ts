import { isIPv6 } from 'node:net';
import { domainToASCII, domainToUnicode } from 'node:url';

/**
 * The canonical form of a host: lower-case ASCII (IDNA), without a trailing dot and, with `stripWww`, without a leading `www.`.
 * An IPv6 address keeps its brackets. An IPv4 address in another notation (`127.1`, `0x7f000001`) is normalised, as in the URL
 * Standard. Returns undefined for an invalid host name. A canonical form is its own canonical form.
 *
 * Labels follow RFC 1123. `_` is allowed too, because it occurs in service names.
 */
export function canonicalHostname(host: string, { stripWww }: { readonly stripWww: boolean }): string | undefined {
  if (host.startsWith('[')) {
    return canonicalIPv6(host);
  }

  // checked before the conversion, which would cut the text at `/`, `\`, `?` and `#`, and decode `%`
  if (host === '' || FORBIDDEN.test(host)) {
    return undefined;
  }

  const name = host.endsWith('.') ? host.slice(0, -1) : host;

  // the conversion would remove a second dot from an IPv4 address, also one before characters that it leaves out
  if (DOT_AT_END.test(name)) {
    return undefined;
  }

  // nearly every request sends plain ASCII. The conversion is skipped then, because it takes most of the time of this function
  const isPlain = PLAIN.test(name);
  const ascii = isPlain ? name : domainToASCII(name);

  if (ascii === '' || ascii.length > 253 || !(isPlain || ascii.split('.').every(isLabel))) {
    return undefined;
  }

  // `www.www.` keeps both, so that a canonical form stays its own canonical form
  return stripWww && /^www\.(?!www\.)/.test(ascii) ? ascii.slice('www.'.length) : ascii;
}

/** Removes the port from a `Host` header. Returns undefined if the text after the colon is not a port. */
export function withoutPort(host: string): string | undefined {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d{0,5}))?$/.exec(host);

  return match?.[1] === undefined || Number(match[2] ?? 0) > 65_535 ? undefined : match[1];
}

function isLabel(label: string): boolean {
  return LABEL.test(label) && (!label.startsWith('xn--') || isPunycode(label));
}

// the conversion accepts Punycode that is invalid or not canonical, but browsers do not
function isPunycode(label: string): boolean {
  const unicode = domainToUnicode(label);

  return unicode !== label && domainToASCII(unicode) === label;
}

function canonicalIPv6(host: string): string | undefined {
  const address = host.endsWith(']') ? host.slice(1, -1) : '';

  // the URL parser compresses the address, so `[0:0:0:0:0:0:0:1]` and `[::1]` are the same host
  return isIPv6(address) && !address.includes('%') ? new URL(`http://[${address}]`).hostname : undefined;
}

// eslint-disable-next-line no-control-regex -- this finds control characters
const FORBIDDEN = /[\s\u0000-\u002c\u002f:-@[\\\]^`{|}~\u007f]/;

const DOT_AT_END = /[.\u3002\uff0e\uff61]\p{Default_Ignorable_Code_Point}*$/u;

// lower-case labels without Punycode. The last label is not a number, because the conversion reads a host that ends with one as an address
const PLAIN = /^(?:(?!xn--)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!xn--)[a-z](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
