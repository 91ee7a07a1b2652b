import type { Scenarios } from './kernel.scenarios.ts'

/** What has to be reported of the scenario `descriptors`, where DIR is 700 and FILE 701: operation, file (! = exact), target, result. */
export const NAMED: readonly string[] = [
  'mkdir ~/work 0',
  'rename ~/work/a ~/work/b 0',
  'rename ~/work/b ~/work/c 0',
  'rename ~/work/c ~/work/a 0',
  'link ~/work/a ~/hard 0',
  'symlink ~/work/soft /proc/self/fd/3/text 0',
  `mkdir ~/work/${'long'.repeat(60)} 0`,
  `rmdir ~/work/${'long'.repeat(60)} 0`,
  'unlink ~/work/soft 0',
  'chmod ~/work/a! 0',
  'truncate ~/work/a! 0',
  'chown ~/work 0',
  'link ~/#UNNAMED! ~/named 0',
  'link /proc/self/fd/701 ~/never -18',
  'chown /proc/self/fd/701 0',
  'unlink /proc/self/fd/701 -1',
  'rename /proc/self/fd/701 ~/work/never -18',
  'link ~/work/a /dev/fd/701 -17',
  'rmdir /proc/self/fd/701/x -20',
  'chmod /proc/self/fd/701 -2',
  'rmdir /proc/self/fd/701/x -2',
  'rmdir /proc/self/x -2',
  'rmdir /proc/self/fd -1',
  'rmdir /proc/self/fd -1',
  'rmdir /proc/self/fd/x/y -2',
  'rmdir /proc/self/fd/0700/x -2',
  'rmdir /proc/self/fd/00/x -2',
  'rmdir /proc/self/fd/700x/y -2',
  'rmdir /proc/self/fd/-1/x -2',
  'rmdir /proc/self/fd/12345678/x -2',
  'rmdir /proc/self/fd/4000000/x -2',
  'rmdir /proc/self/fd/700 /x -2',
  'rmdir /dev/fd -20',
  'rmdir /dev/fd -20',
  'rmdir /dev/fdx/1/x -2',
  'rmdir /proc -16',
  'rmdir /proc/0OWN/fd/700/x -2',
  'rmdir /proc/PARENT/fd/700/x -2',
  'rmdir /proc/OWN/fx/700/x -2',
  'rmdir /nowhere/x -2',
  'rmdir / -22',
  'mkdir ~/work/inside 0',
  'mkdir /proc/SHELL/fd/3/childs 0',
  'mkdir /proc/self/fd/700/leaders 0',
  'mkdir ~/work/threads 0',
]

export const NOT_OPENED: readonly string[] = ['~/work/missing -2', '~/work/gone/x -2', '~/work! -21', '/proc/self/fd/700 -40', '/proc/self/fd/700 -17', '/proc/self/fd/701/x -2']

/** The same of what was reported. */
export function named({ short }: Scenarios, { of, pid }: Awaited<ReturnType<Scenarios['run']>>) {
  const told = (path: string) =>
    short(path)
      .replace(/#\d+$/, '#UNNAMED')
      .replace(new RegExp(`^/proc/(0?)${pid}/`), '/proc/$1OWN/')
      .replace(`/proc/${process.pid}/`, '/proc/PARENT/')
      .replace(/^\/proc\/\d+\/fd\/3\//, '/proc/SHELL/fd/3/')
  const file = (o: { file: { path: string; exact: boolean } }) => told(o.file.path) + (o.file.exact ? '!' : '')
  return {
    changes: of('change').map((o) => [o.op, file(o), ...(o.target ? [told(o.target.path)] : []), o.result].join(' ')),
    failed: of('open')
      .filter((o) => o.result < 0 && /^(~|\/proc\/self\/fd\/70)/.test(short(o.file.path)))
      .map((o) => `${file(o)} ${o.result}`),
  }
}
