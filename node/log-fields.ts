/**
 * What of a log line's fields may be written: fields named like a secret are masked, bytes are
 * shown by their number only, invite tokens are cut out of texts, and nothing is endless.
 */

export type LogFields = Readonly<Record<string, unknown>>;

const textMax = 4_096;
const itemsMax = 100;
const depthMax = 4;

const secretName = /secret|seed|token|password|authorization|privatekey|signature/i;
const inviteToken = /shoal1-[\w-]+/g;

export function cleanFields(fields: LogFields, depth = 0): LogFields {
  const entries = Object.entries(fields).slice(0, itemsMax);
  return Object.fromEntries(
    entries.map(([name, value]) => {
      return [name, secretName.test(name) ? "(secret)" : clean(value, depth)];
    }),
  );
}

function clean(value: unknown, depth: number): unknown {
  if (typeof value === "string") return value.replaceAll(inviteToken, "(invite)").slice(0, textMax);
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if (value instanceof Error) return clean(value.stack ?? value.message, depth);
  if (depth >= depthMax) return "(deeper)";
  if (Array.isArray(value)) return value.slice(0, itemsMax).map((item) => clean(item, depth + 1));
  return cleanFields(value as LogFields, depth + 1);
}
