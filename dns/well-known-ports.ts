/**
 * Names that SRV questions may use in place of a number, for what people run most. Source: IANA,
 * "Service Name and Transport Protocol Port Number Registry" (RFC 6335), and for the last ones
 * what everybody calls them.
 */

const ports: ReadonlyMap<string, number> = new Map([
  ["_amqp", 5672],
  ["_domain", 53],
  ["_http", 80],
  ["_https", 443],
  ["_ldap", 389],
  ["_mqtt", 1883],
  ["_mysql", 3306],
  ["_nats", 4222],
  ["_postgresql", 5432],
  ["_redis", 6379],
  ["_ssh", 22],
  ["_mongodb", 27_017],
]);

/** `name` with its underscore, in lower case. */
export function wellKnownPort(name: string): number | undefined {
  return ports.get(name);
}
