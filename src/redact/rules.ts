/**
 * One kind of secret that can be told by its own form. `find` starts with fixed text or a look-behind and ends with a repeated class, so that
 * it is linear in the length of the text: no hostile argument may stop the observer.
 */
export type TokenRule = { readonly kind: string; readonly find: RegExp }

/** Sources: the vendors' pages on secret scanning (GitHub's list of supported patterns, AWS IAM identifiers, RFC 7519 for JWT, RFC 6750 for Bearer). */
export const TOKENS: readonly TokenRule[] = [
  { kind: 'aws_key_id', find: /(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])/g },
  { kind: 'github_token', find: /(?<![A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9_]{20,255}|github_pat_[A-Za-z0-9_]{20,255})/g },
  { kind: 'gitlab_token', find: /(?<![A-Za-z0-9_])gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_=.-]{16,255}/g },
  { kind: 'api_key', find: /(?<![A-Za-z0-9_-])sk-[A-Za-z0-9_-]{16,512}/g },
  { kind: 'stripe_key', find: /(?<![A-Za-z0-9_])(?:sk|rk|pk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,255}/g },
  { kind: 'slack_token', find: /(?<![A-Za-z0-9_-])(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,512}/g },
  { kind: 'google_key', find: /(?<![A-Za-z0-9_-])(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,2048}|GOCSPX-[A-Za-z0-9_-]{20,64})/g },
  { kind: 'npm_token', find: /(?<![A-Za-z0-9_])npm_[A-Za-z0-9]{30,64}/g },
  { kind: 'pypi_token', find: /(?<![A-Za-z0-9_-])pypi-[A-Za-z0-9_-]{32,1024}/g },
  { kind: 'huggingface_token', find: /(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{30,64}/g },
  { kind: 'sendgrid_key', find: /(?<![A-Za-z0-9_])SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}/g },
  { kind: 'digitalocean_token', find: /(?<![A-Za-z0-9_])do[opr]_v1_[a-f0-9]{64}/g },
  { kind: 'databricks_token', find: /(?<![A-Za-z0-9_])dapi[a-f0-9]{32}/g },
  { kind: 'vault_token', find: /(?<![A-Za-z0-9_.])hv[sbr]\.[A-Za-z0-9_-]{20,512}/g },
  { kind: 'age_key', find: /(?<![A-Za-z0-9_])AGE-SECRET-KEY-1[A-Z0-9]{40,80}/g },
  { kind: 'jwt', find: /(?<![A-Za-z0-9_.-])eyJ[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]{8,8192}(?:\.[A-Za-z0-9_-]{0,4096})?/g },
]

/** The beginnings of all of them: one look at a text that has none, instead of one for each. */
export const TOKEN_BEGINS =
  /A(?:KI|SI|BI|CC)A|gh[pousr]_|github_pat_|gl(?:pat|dt|rt|cbt|ptt|ft|soat)-|sk-|[srp]k_|whsec_|xox|xapp-|AIza|ya29\.|GOCSPX-|npm_|pypi-|hf_|SG\.|do[opr]_v1_|dapi|hv[sbr]\.|AGE-SECRET|eyJ/

/** Words in a name that make its value a secret. */
export const SECRET_WORDS =
  /pass(?:word|wd|phrase|code)|passwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|client[_-]?key|auth[_-]?key|account[_-]?key|encryption[_-]?key|credentials?|\bpat\b|\bpwd\b/gi
/** What may follow the word in a name that means something else: where it is kept, how many, how long. */
export const NOT_A_SECRET =
  /^s?[_-]?(?:file|path|dir|folder|url|uri|name|count|limit|length|len|size|type|ids?|expir\w*|ttl|env|var|store|helper|manager|provider|policy|endpoint|usage|budget|window|only|stdin)\b/i

/** Headers whose value is a secret as a whole. */
export const SECRET_HEADERS =
  /(?<![A-Za-z0-9-])(?:proxy-)?authorization\s{0,4}[:=]|(?<![A-Za-z0-9-])(?:x-[a-z0-9]{0,20}-?)?(?:api-key|auth-token|access-token|auth-key|goog-api-key|vault-token|gitlab-token)\s{0,4}:|(?<![A-Za-z0-9-])private-token\s{0,4}:|(?<![A-Za-z0-9-])(?:set-)?cookie\s{0,4}:/gi

/** RFC 6750, and Basic of RFC 7617, wherever they stand. */
export const SCHEMES = /(?<![A-Za-z0-9])(?:Bearer|Basic)\s{1,4}[A-Za-z0-9._~+/=-]{8,8192}/gi

/** Options whose next argument is a secret, by program; others only by the words above. */
export const SECRET_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  curl: ['-u', '--user', '--proxy-user', '-U', '--oauth2-bearer'],
  wget: ['--password', '--http-password', '--ftp-password'],
  sshpass: ['-p'],
  'redis-cli': ['-a', '--pass'],
  docker: ['-p'],
  podman: ['-p'],
  helm: ['--password'],
  mongosh: ['-p'],
  mongo: ['-p'],
  ldapsearch: ['-w'],
  smbclient: ['-U'],
  openssl: ['-passin', '-passout', '-pass', '-k'],
  zip: ['-P'],
  unzip: ['-P'],
  twine: ['-p'],
}
/** Programs that take it in the same argument: `-pSECRET`. */
export const GLUED_OPTIONS: Readonly<Record<string, string>> = {
  mysql: '-p',
  mysqldump: '-p',
  mysqladmin: '-p',
  mariadb: '-p',
  'mariadb-dump': '-p',
  sshpass: '-p',
  curl: '-u',
  '7z': '-p',
}
