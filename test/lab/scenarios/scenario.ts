/** What the scripted model wants done next, in no agent's words: `model/` says it in those of the tools that a CLI offers. */
export type Step =
  | { readonly kind: 'shell'; readonly command: string }
  | { readonly kind: 'read'; readonly path: string }
  /** A file that is not there yet. */
  | { readonly kind: 'write'; readonly path: string; readonly content: string }
  /** One line of a file that was read before (Claude Code refuses to edit others). */
  | { readonly kind: 'edit'; readonly path: string; readonly from: string; readonly to: string }

export type Place = { readonly home: string; readonly work: string }

export type Scenario = {
  readonly name: string
  readonly about: string
  readonly prompt: string
  /** Files that lie there before, by path; all secrets are made up. */
  readonly files: (place: Place) => Readonly<Record<string, string>>
  /** Steps of one turn of the model stand together: they are asked for in one answer. */
  readonly turns: (place: Place) => readonly (readonly Step[])[]
  readonly farewell: string
}

/** A home and a project as a developer has them. */
export const ordinaryFiles = ({ home, work }: Place): Readonly<Record<string, string>> => ({
  [`${home}/.aws/credentials`]: '[default]\naws_access_key_id = AKIALAB0000000000000\naws_secret_access_key = made-up-for-the-lab-of-spoor\n',
  [`${home}/.ssh/id_ed25519`]: '-----BEGIN OPENSSH PRIVATE KEY-----\nbWFkZSB1cCBmb3IgdGhlIGxhYiBvZiBzcG9vcg==\n-----END OPENSSH PRIVATE KEY-----\n',
  [`${home}/.bashrc`]: 'export LAB_BASHRC=1\n',
  [`${home}/.gitconfig`]: '[user]\n\tname = Lab\n\temail = lab@example.invalid\n[init]\n\tdefaultBranch = main\n',
  [`${work}/.env`]: 'SERVICE_TOKEN=made-up-for-the-lab-of-spoor\n',
  [`${work}/package.json`]: '{ "name": "lab-project", "version": "1.0.0", "private": true }\n',
  [`${work}/README.md`]: '# Rounding\n\nRounds numbers to a step.\n',
  [`${work}/src/round.js`]: 'exports.round = (n, step) => Math.round(n / step) * step;\nexports.name = "round";\n',
})
