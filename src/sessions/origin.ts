import { basename } from '../agents/paths.ts'
import type { Bytes } from '../model/bytes.ts'
import type { Origin } from '../model/session.ts'

/** A process above another, as /proc had it at that moment. `exe` is empty where it could not be read. */
export type Ancestor = { readonly pid: number; readonly startTicks: number; readonly comm: Bytes; readonly exe: Bytes }

/** Look-ups outside the stream. The observer writes their answers down, so that a replay gets the same. */
export type Host = {
  /** The processes above `pid`, nearest first, up to init; empty when it is gone. Bounded. */
  ancestry(pid: number): readonly Ancestor[]
  userName(uid: number): string | null
}

/** `originVia` is for people; a chain longer than this is cut. */
const VIA_MAX = 16

const NAMES: ReadonlyArray<readonly [Origin, RegExp]> = [
  ['ci', /^(?:Runner\.(?:Listener|Worker)|gitlab-runner|buildkite-agent|circleci-agent|woodpecker-agent|act_runner|drone-runner.*|jenkins.*|teamcity-agent|azp-agent)$/],
  ['cron', /^(?:cron|crond|atd|anacron|fcron|systemd-cron)$/],
  [
    'ide',
    /^(?:code|code-(?:insiders|server|oss|tunnel)|codium|vscodium|cursor|windsurf|zed|zed-editor|zeditor|idea|idea64|pycharm|webstorm|goland|clion|rider|phpstorm|rubymine|studio|fleet|positron|trae|kiro|sublime_text|emacs|nvim|vim|eclipse)(?:\.exe)?$/,
  ],
  ['ssh', /^(?:sshd|sshd-session|sshd-auth|dropbear|mosh-server|et|tailscaled)$/],
  [
    'terminal',
    /^(?:gnome-terminal.*|konsole|xterm|urxvt|rxvt|alacritty|kitty|wezterm.*|ghostty|foot|footclient|tilix|terminator|ptyxis.*|xfce4-terminal|mate-terminal|lxterminal|qterminal|st|tmux.*|screen|zellij|login|agetty|guake|yakuake|warp.*|tabby|hyper)$/,
  ],
  ['service', /^(?:containerd-shim.*|conmon|dockerd|runc|crun|supervisord|runsvdir|s6-supervise|pm2)$/],
]

/** comm is cut at 15 bytes and tmux writes `tmux: server`; the executable's name is better where it is known. */
const nameOf = (ancestor: Ancestor): string => basename(ancestor.exe) || ancestor.comm

/**
 * Who asked, from the ancestry at the session's start: the nearest program that tells. An agent in an IDE's terminal is the IDE's; below CI
 * or ssh the environment says so where the ancestry was gone. `tty` is the agent's own controlling terminal.
 */
export function originOf(ancestry: readonly Ancestor[], env: ReadonlyArray<readonly [string, Bytes]>, tty: number): { readonly origin: Origin; readonly via: readonly string[] } {
  const via = ancestry.slice(0, VIA_MAX).map(nameOf)
  const has = (name: string): string | null => env.find(([key]) => key === name)?.[1] ?? null
  if (has('GITHUB_ACTIONS') === 'true' || has('GITLAB_CI') !== null || has('JENKINS_URL') !== null) return { origin: 'ci', via }
  for (const ancestor of ancestry) {
    const name = nameOf(ancestor)
    for (const [origin, pattern] of NAMES) if (pattern.test(name) || pattern.test(ancestor.comm)) return { origin, via }
  }
  if (has('CI') !== null && has('CI') !== '' && has('CI') !== 'false') return { origin: 'ci', via }
  const program = has('TERM_PROGRAM')
  if (program === 'vscode' || program === 'zed') return { origin: 'ide', via }
  if (has('SSH_CONNECTION') !== null) return { origin: 'ssh', via }
  if (tty !== 0 || program !== null) return { origin: 'terminal', via }
  const top = ancestry[ancestry.length - 1]
  if (top !== undefined && top.pid === 1 && nameOf(top).startsWith('systemd')) return { origin: 'service', via }
  return { origin: 'unknown', via }
}
