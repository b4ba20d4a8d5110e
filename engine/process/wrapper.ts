/**
 * The shell script around each task's command: what lets a task outlive the agent and still tell
 * how it ended. Pure text; a shell costs less than a megabyte.
 *
 * What the shell itself would say of its command's end is no output of the task, and is dropped.
 *
 * It says who it is (its own line of /proc, for a pid alone may be another's by the time it is
 * read), enters its control groups, runs the command, writes the exit code and takes what is left
 * of its process group with it. It traps every signal that would end it before its command has
 * ended; the command itself gets them with their usual meaning.
 *
 * A record that the start was given up means: the agent that ordered it died, the next one saw no
 * sign of this wrapper and does not count on it any more.
 */

export const recordNames = { started: "started", exit: "exit", givenUp: "given-up" } as const;

const script = `
records=$1
shift
trap : HUP INT QUIT PIPE ALRM TERM USR1 USR2
read -r self </proc/$$/stat && echo "$self" >"$records/${recordNames.started}" || exit 125
[ -e "$records/${recordNames.givenUp}" ] && exit 125
while [ "$1" != -- ]; do
  echo $$ >"$1" || echo "shoal: cannot enter $1: limits do not hold" >&2
  shift
done
shift
exec 3>&2 2>/dev/null
"$@" 2>&3 3>&-
echo $? >"$records/${recordNames.exit}"
kill -KILL 0
`;

/** argv of the wrapper. `groups` are files that take a pid in. */
export function wrap(
  records: string,
  groups: readonly string[],
  command: readonly string[],
): readonly string[] {
  return ["/bin/sh", "-c", script, "shoal-task", records, ...groups, "--", ...command];
}
