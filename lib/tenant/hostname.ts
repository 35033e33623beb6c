import { isIPv6 } from 'node:net';
import { domainToASCII, domainToUnicode } from 'node:url';

/**
 * The canonical form of a host: lower-case, ASCII (IDNA), without trailing dot and, if asked, without a leading `www.`;
 * an IPv6 address keeps its brackets, and an IPv4 address in another notation (`127.1`, `0x7f000001`) is that address, as in the
 * URL Standard. Undefined for what is no host name. The canonical form of a canonical form is itself.
 *
 * Labels are those of RFC 1123, with `_` allowed, as it occurs in service names.
 */
export function canonicalHostname(host: string, { stripWww }: { readonly stripWww: boolean }): string | undefined {
  if (host.startsWith('[')) {
    return canonicalIPv6(host);
  }

  // only what a host name can be made of may reach the conversion: it would cut at `/`, `\`, `?` and `#`, and decode `%`
  if (host === '' || FORBIDDEN.test(host)) {
    return undefined;
  }

  const name = host.endsWith('.') ? host.slice(0, -1) : host;

  // of an address the conversion would take a second dot off
  if (DOT_AT_END.test(name)) {
    return undefined;
  }

  // what is in its ASCII form already, as of nearly every request, is not converted: that would take most of the time that all of this does
  const isPlain = PLAIN.test(name);
  const ascii = isPlain ? name : domainToASCII(name);

  if (ascii === '' || ascii.length > 253 || !(isPlain || ascii.split('.').every(isLabel))) {
    return undefined;
  }

  // of two, neither: what is stored has to be found by itself again
  return stripWww && /^www\.(?!www\.)/.test(ascii) ? ascii.slice('www.'.length) : ascii;
}

/** Takes the port off a `Host` header. Undefined where what follows the colon is no port. */
export function withoutPort(host: string): string | undefined {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d{0,5}))?$/.exec(host);

  return match?.[1] === undefined || Number(match[2] ?? 0) > 65_535 ? undefined : match[1];
}

function isLabel(label: string): boolean {
  return LABEL.test(label) && (!label.startsWith('xn--') || isPunycode(label));
}

// the conversion passes Punycode that stands for nothing, or for what is written otherwise; browsers have no such host
function isPunycode(label: string): boolean {
  const unicode = domainToUnicode(label);

  return unicode !== label && domainToASCII(unicode) === label;
}

function canonicalIPv6(host: string): string | undefined {
  const address = host.endsWith(']') ? host.slice(1, -1) : '';

  // the URL parser compresses, so that `[0:0:0:0:0:0:0:1]` and `[::1]` are one host
  return isIPv6(address) && !address.includes('%') ? new URL(`http://[${address}]`).hostname : undefined;
}

// eslint-disable-next-line no-control-regex -- control characters are what has to be found
const FORBIDDEN = /[\s\u0000-\u002c\u002f:-@[\\\]^`{|}~\u007f]/;

const DOT_AT_END = /[.\u3002\uff0e\uff61]$/;

// lower-case labels, none of them encoded, and the last no number, as the conversion reads an address in one that ends with a number
const PLAIN = /^(?:(?!xn--)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!xn--)[a-z](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
