/** Tables in docker's style: capital headings, columns three blanks apart, nothing drawn. */

export type Column<Row> = readonly [heading: string, cell: (row: Row) => string];

const gap = "   ";

/** `width`: of the terminal, to cut lines at; undefined cuts nothing. */
export function printTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width?: number | undefined,
): string {
  const cells = [
    columns.map(([heading]) => heading),
    ...rows.map((row) => columns.map(([, cell]) => oneLine(cell(row)))),
  ];
  const widths = columns.map((_, column) => {
    return Math.max(...cells.map((line) => (line[column] ?? "").length));
  });
  const lines = cells.map((line) => {
    const padded = line.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    return cut(padded.join(gap).trimEnd(), width);
  });
  return lines.join("\n");
}

/** Names and values one below the other, as `inspect` and `status` print them. */
export function printFields(fields: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...fields.map(([name]) => name.length)) + 1;
  return fields.map(([name, value]) => `${`${name}:`.padEnd(width)} ${value}`).join("\n");
}

export function cut(text: string, width: number | undefined): string {
  if (width === undefined || text.length <= width || width < 2) return text;
  return `${text.slice(0, width - 1)}…`;
}

/** Control characters of strangers' text would move the cursor. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ");
}
