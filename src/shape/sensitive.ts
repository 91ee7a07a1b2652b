/** Classes of files whose single accesses are worth an entry. */
export type Sensitivity =
  | 'ssh'
  | 'cloud'
  | 'credentials'
  | 'env_file'
  | 'key_file'
  | 'browser'
  | 'keychain'
  | 'shell_history'
  | 'agent_config'
  | 'agent_credentials'
  | 'process_memory'
  | 'shell_profile'
  | 'git_hook'
  | 'git_config'
  | 'persistence'
  | 'configured'

/**
 * One row: files in `folder` (a part of the path, slashes at both ends; none = anywhere) that have one of `names`, `endings` (with the dot) or
 * `starts`; without any of the three all of it. `writes`: reading it is ordinary, only changing it is worth an entry.
 */
type Rule = {
  readonly is: Sensitivity
  readonly folder?: string
  readonly names?: readonly string[]
  readonly endings?: readonly string[]
  readonly starts?: readonly string[]
  readonly writes?: true
}

/** The first that fits counts. Sources: the vendors' documentation of each program, and facts/agents-lab for the agents' own files. */
const RULES: readonly Rule[] = [
  { is: 'ssh', folder: '/.ssh/' },
  { is: 'ssh', folder: '/etc/ssh/', starts: ['ssh_host_'] },
  { is: 'cloud', folder: '/.aws/', names: ['credentials', 'config'] },
  { is: 'cloud', folder: '/.aws/sso/cache/' },
  { is: 'cloud', folder: '/.azure/' },
  { is: 'cloud', folder: '/.config/gcloud/' },
  { is: 'cloud', folder: '/.kube/', names: ['config'] },
  { is: 'cloud', folder: '/.docker/', names: ['config.json'] },
  { is: 'cloud', folder: '/.oci/' },
  { is: 'cloud', folder: '/.config/doctl/' },
  { is: 'cloud', folder: '/.terraform.d/', names: ['credentials.tfrc.json'] },
  { is: 'cloud', folder: '/.fly/' },
  { is: 'cloud', names: ['.boto', '.s3cfg', 'kubeconfig', 'application_default_credentials.json'] },
  { is: 'credentials', folder: '/.config/gh/', names: ['hosts.yml'] },
  { is: 'credentials', folder: '/.config/git/', names: ['credentials'] },
  { is: 'credentials', folder: '/.cargo/', names: ['credentials', 'credentials.toml'] },
  { is: 'credentials', folder: '/.gem/', names: ['credentials'] },
  { is: 'credentials', folder: '/.m2/', names: ['settings.xml', 'settings-security.xml'] },
  { is: 'credentials', folder: '/.password-store/' },
  { is: 'credentials', folder: '/etc/', names: ['shadow', 'gshadow', 'shadow-', 'gshadow-', 'sudoers', 'krb5.keytab'] },
  { is: 'credentials', folder: '/etc/sudoers.d/' },
  { is: 'credentials', folder: '/run/secrets/' },
  { is: 'credentials', folder: '/etc/ssl/private/' },
  {
    is: 'credentials',
    names: [
      '.netrc',
      '_netrc',
      '.pgpass',
      '.git-credentials',
      '.npmrc',
      '.yarnrc.yml',
      '.pypirc',
      '.my.cnf',
      '.mylogin.cnf',
      '.vault-token',
      '.htpasswd',
      'secrets.yml',
      'secrets.yaml',
      'secrets.json',
      'credentials.json',
    ],
  },
  { is: 'env_file', names: ['.env', '.envrc'], starts: ['.env.'] },
  { is: 'keychain', folder: '/.gnupg/' },
  { is: 'keychain', folder: '/.local/share/keyrings/' },
  { is: 'keychain', folder: '/.local/share/kwalletd/' },
  { is: 'browser', folder: '/.mozilla/firefox/', names: ['logins.json', 'key4.db', 'cookies.sqlite', 'places.sqlite', 'cert9.db'] },
  ...['/google-chrome/', '/chromium/', '/BraveSoftware/', '/microsoft-edge/', '/vivaldi/', '/opera/'].map((folder) => ({
    is: 'browser' as const,
    folder,
    names: ['Cookies', 'Login Data', 'Login Data For Account', 'Web Data', 'History', 'Local State'],
  })),
  {
    is: 'key_file',
    names: ['wallet.dat', 'id_rsa', 'id_ed25519', 'id_ecdsa', 'id_dsa'],
    endings: ['.pem', '.key', '.p12', '.pfx', '.kdbx', '.jks', '.keystore', '.ppk', '.asc', '.age'],
  },
  {
    is: 'shell_history',
    names: ['.bash_history', '.zsh_history', '.sh_history', '.python_history', '.node_repl_history', '.psql_history', '.mysql_history', '.sqlite_history', 'fish_history'],
  },
  { is: 'agent_credentials', folder: '/.claude/', names: ['.credentials.json'] },
  { is: 'agent_credentials', folder: '/.codex/', names: ['auth.json'] },
  { is: 'agent_credentials', folder: '/.gemini/', names: ['oauth_creds.json', 'mcp-oauth-tokens.json'] },
  { is: 'agent_credentials', folder: '/opencode/', names: ['auth.json', 'mcp-auth.json'] },
  { is: 'agent_config', folder: '/.claude/', names: ['settings.json', 'settings.local.json', 'CLAUDE.md'] },
  { is: 'agent_config', folder: '/etc/claude-code/' },
  { is: 'agent_config', folder: '/.codex/', names: ['config.toml', 'hooks.json', 'AGENTS.md'] },
  { is: 'agent_config', folder: '/etc/codex/' },
  { is: 'agent_config', folder: '/.gemini/', names: ['settings.json', 'trustedFolders.json', 'GEMINI.md'] },
  { is: 'agent_config', folder: '/.config/opencode/' },
  { is: 'agent_config', folder: '/.cursor/', names: ['mcp.json', 'hooks.json'] },
  { is: 'agent_config', names: ['.claude.json', '.mcp.json', 'opencode.json', 'opencode.jsonc'] },
  { is: 'agent_config', names: ['CLAUDE.md', 'AGENTS.md', 'GEMINI.md', '.cursorrules'], writes: true },
  { is: 'git_hook', folder: '/.git/hooks/', writes: true },
  { is: 'git_config', folder: '/.git/', names: ['config'], writes: true },
  { is: 'git_config', names: ['.gitconfig', '.gitmodules'], writes: true },
  {
    is: 'shell_profile',
    names: ['.bashrc', '.bash_profile', '.bash_login', '.bash_logout', '.profile', '.zshrc', '.zshenv', '.zprofile', '.zlogin', 'config.fish', '.xprofile', '.xsessionrc'],
    writes: true,
  },
  { is: 'persistence', folder: '/.config/systemd/', writes: true },
  { is: 'persistence', folder: '/.config/autostart/', writes: true },
  ...['/etc/cron.d/', '/etc/cron.daily/', '/etc/cron.hourly/', '/var/spool/cron/', '/etc/systemd/', '/lib/systemd/', '/etc/profile.d/', '/etc/init.d/', '/etc/pam.d/'].map(
    (folder) => ({
      is: 'persistence' as const,
      folder,
      writes: true as const,
    }),
  ),
  {
    is: 'persistence',
    folder: '/etc/',
    names: ['crontab', 'passwd', 'group', 'rc.local', 'ld.so.preload', 'environment', 'profile', 'bash.bashrc', 'hosts', 'resolv.conf'],
    writes: true,
  },
]
const DOT = 0x2e
/** Templates that everybody commits, and git's inactive hooks. */
const HARMLESS: readonly string[] = ['.example', '.sample', '.template', '.dist', '.pub']

/** Made once for each folder and kept. The name of the file is what stands in `path` from `at` on. */
export type Matcher = (path: string, at: number, writes: boolean) => Sensitivity | null

const byName = new Map<string, Rule>()
const byEnding = new Map<string, Rule>()
const byStart: { readonly start: string; readonly rule: Rule }[] = []
const inFolders: Rule[] = []
/** Whether a name that ends in these two characters can be any of the above: most cannot, and are not even cut out of their path. */
const possibleEnds = new Uint8Array(128 * 128)
for (const rule of RULES) {
  if (rule.folder !== undefined) inFolders.push(rule)
  else {
    for (const name of rule.names ?? []) byName.set(name, rule)
    for (const ending of rule.endings ?? []) byEnding.set(ending, rule)
    for (const start of rule.starts ?? []) byStart.push({ start, rule })
    for (const text of [...(rule.names ?? []), ...(rule.endings ?? [])]) possibleEnds[endOf(text)] = 1
  }
}

function endOf(text: string): number {
  return (text.charCodeAt(text.length - 2) & 127) * 128 + (text.charCodeAt(text.length - 1) & 127)
}

/** `folder` has a slash at its end. */
export function sensitiveIn(folder: string): Matcher {
  const here = inFolders.filter((rule) => holdsIn(rule, folder))
  if (here.length === 0) return (path, at, writes) => (isPossible(path, at) ? anywhere(path.slice(at), writes) : null)
  return (path, at, writes) => {
    const name = path.slice(at)
    for (const rule of here) {
      if (rule.names === undefined && rule.starts === undefined) {
        if (!isHarmless(name)) return counted(rule, writes)
      } else if (rule.names?.includes(name) || rule.starts?.some((start) => name.startsWith(start))) return counted(rule, writes)
    }
    return anywhere(name, writes)
  }
}

/** A path from the root is that folder; with no names, what is below it too. Any other is looked for at any depth. */
function holdsIn(rule: Rule, folder: string): boolean {
  if (!fromRoot(rule.folder!)) return folder.includes(rule.folder!)
  return rule.names === undefined && rule.starts === undefined ? folder.startsWith(rule.folder!) : folder === rule.folder
}
const fromRoot = (folder: string): boolean => folder.startsWith('/etc/') || folder.startsWith('/run/') || folder.startsWith('/var/')
const isPossible = (path: string, at: number): boolean => path.charCodeAt(at) === DOT || possibleEnds[endOf(path)] === 1

function anywhere(name: string, writes: boolean): Sensitivity | null {
  const named = byName.get(name)
  if (named !== undefined) return counted(named, writes)
  const dot = name.lastIndexOf('.')
  if (dot < 0) return null
  if (dot > 0 && name.length - dot <= 9) {
    const ending = byEnding.get(name.slice(dot))
    if (ending !== undefined) return counted(ending, writes)
  }
  if (name.charCodeAt(0) === DOT) for (const { start, rule } of byStart) if (name.startsWith(start) && !isHarmless(name)) return counted(rule, writes)
  return null
}

const counted = (rule: Rule, writes: boolean): Sensitivity | null => (rule.writes && !writes ? null : rule.is)
const isHarmless = (name: string): boolean => HARMLESS.some((ending) => name.endsWith(ending))

/** Another process's memory or environment, as /proc shows them: secrets of whoever runs it. */
export function ofOtherProcess(path: string, pid: number): boolean {
  if (!path.startsWith('/proc/')) return false
  const match = /^\/proc\/(\d{1,10})\/(?:task\/\d{1,10}\/)?(?:mem|environ)$/.exec(path)
  return match !== null && Number(match[1]) !== pid
}

/** The rules in words, for the schema's page. */
export function sensitiveClasses(): { readonly is: Sensitivity; readonly files: string[] }[] {
  const classes = new Map<Sensitivity, string[]>([['process_memory', ['`/proc/PID/mem` and `environ` of another process']]])
  for (const rule of RULES) {
    const folder = rule.folder ?? ''
    const names = [...(rule.names ?? []), ...(rule.starts ?? []).map((start) => start + '*'), ...(rule.endings ?? []).map((ending) => '*' + ending)]
    const files = (names.length > 0 ? names : ['**']).map((name) => '`' + folder.replace(/^\/(?!etc\/|run\/|var\/)/, '…/') + name + '`')
    classes.set(rule.is, [...(classes.get(rule.is) ?? []), ...files.map((file) => file + (rule.writes ? ' (writes)' : ''))])
  }
  return [...classes].map(([is, files]) => ({ is, files: [...new Set(files)] }))
}
