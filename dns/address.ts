/**
 * IP addresses as bytes: rows of peers hold any text, so what is put into an answer is parsed
 * first. Also their names in the reverse zones (RFC 1035 section 3.5, RFC 3596 section 2.5), and
 * networks, which say who may ask for recursion.
 */

/** 4 or 16 bytes in network order. */
export type AddressBytes = Uint8Array;

export type Network = { readonly bytes: AddressBytes; readonly prefix: number };

/**
 * What people and sockets write: "10.0.0.1", "fd00::1", "::ffff:10.0.0.1" (which is the IPv4
 * address). A scope ("fe80::1%eth0") is left out. Undefined when it is no address.
 */
export function parseAddress(text: string): AddressBytes | undefined {
  if (text.length > 64) return undefined;
  const bare = text.replace(/%.*$/, "");
  if (!bare.includes(":")) return parseIpv4(bare);
  const bytes = parseIpv6(bare);
  return bytes !== undefined && isMapped(bytes) ? bytes.subarray(12) : bytes;
}

/** Eight full groups for IPv6, which every reader takes. */
export function formatAddress(bytes: AddressBytes): string {
  if (bytes.length === 4) return bytes.join(".");
  return groupsOf(bytes)
    .map((group) => group.toString(16))
    .join(":");
}

export function isLoopback(bytes: AddressBytes): boolean {
  if (bytes.length === 4) return bytes[0] === 127;
  return bytes.every((byte, index) => byte === (index === 15 ? 1 : 0));
}

/** "0.0.0.0" and "::", which are no place to connect to. */
export function isUnspecified(bytes: AddressBytes): boolean {
  return bytes.every((byte) => byte === 0);
}

/**
 * The address that a reverse name stands for, as `formatAddress` writes it: of 4.3.2.1.in-addr.arpa
 * or of the 34 labels of ip6.arpa, in lower case. Undefined for parts of them and anything else.
 */
export function readReverseName(labels: readonly string[]): string | undefined {
  const digits = labels.slice(0, -2).reverse();
  switch (labels.slice(-2).join(".")) {
    case "in-addr.arpa": {
      const bytes = parseIpv4(digits.join("."));
      return bytes && formatAddress(bytes);
    }
    case "ip6.arpa": {
      const isWhole = digits.length === 32 && digits.every((digit) => /^[0-9a-f]$/.test(digit));
      return isWhole ? formatAddress(Buffer.from(digits.join(""), "hex")) : undefined;
    }
    default:
      return undefined;
  }
}

/** "10.0.0.0/8", or an address alone. */
export function parseNetwork(text: string): Network | undefined {
  const [address, length, ...rest] = text.split("/");
  const bytes = parseAddress(address as string);
  if (bytes === undefined || rest.length > 0) return undefined;
  if (length === undefined) return { bytes, prefix: bytes.length * 8 };
  if (!/^\d{1,3}$/.test(length) || Number(length) > bytes.length * 8) return undefined;
  return { bytes, prefix: Number(length) };
}

export function contains({ bytes, prefix }: Network, address: AddressBytes): boolean {
  if (bytes.length !== address.length) return false;
  const whole = prefix >> 3;
  for (let index = 0; index < whole; index++) {
    if (bytes[index] !== address[index]) return false;
  }
  const rest = prefix & 7;
  if (rest === 0) return true;
  const mask = 0xff << (8 - rest);
  return (((bytes[whole] as number) ^ (address[whole] as number)) & mask & 0xff) === 0;
}

function parseIpv4(text: string): AddressBytes | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const numbers = parts.map((part) => (/^(?:0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256));
  return numbers.every((number) => number < 256) ? Uint8Array.from(numbers) : undefined;
}

/** RFC 4291 section 2.2, all three forms. */
function parseIpv6(text: string): AddressBytes | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(parseGroups);
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  if (tail === undefined) return head.length === 16 ? Uint8Array.from(head) : undefined;
  // "::" stands for one group of zeros at the least.
  const zeros = 16 - head.length - tail.length;
  if (zeros < 2) return undefined;
  return Uint8Array.from([...head, ...new Array<number>(zeros).fill(0), ...tail]);
}

/** Groups between colons as bytes; a dotted quad may be the last. */
function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 255);
      continue;
    }
    const quad = index === groups.length - 1 ? parseIpv4(group) : undefined;
    if (quad === undefined) return undefined;
    bytes.push(...quad);
  }
  return bytes;
}

/** RFC 4291 section 2.5.5.2: ::ffff:a.b.c.d is how an IPv6 socket shows an IPv4 peer. */
function isMapped(bytes: AddressBytes): boolean {
  return bytes.every((byte, index) => index > 11 || byte === (index < 10 ? 0 : 255));
}

function groupsOf(bytes: AddressBytes): number[] {
  return Array.from({ length: 8 }, (_, index) => {
    return ((bytes[2 * index] as number) << 8) | (bytes[2 * index + 1] as number);
  });
}
