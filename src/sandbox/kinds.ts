/** What the sandbox's rotation can be made of: for each seam its kinds, the usual one first. */
export const kindsOf = {
  cloud: ['ops-api', 'tcld'],
  issuer: ['builtin', 'tcld', 'certstrap'],
  probe: ['client', 'temporal-cli'],
  rollout: ['rolling', 'scale'],
} as const;

export type Seam = keyof typeof kindsOf;
export type Kinds = { readonly [S in Seam]: (typeof kindsOf)[S][number] };

/** For options of a command. */
export const seams: Readonly<Record<Seam, string>> = {
  cloud: 'what changes the namespace',
  issuer: 'what makes certificates',
  probe: 'what tests connections',
  rollout: 'how the booking workers get a new leaf; scale is an outage',
};

/** The kinds that are named, and the usual ones where none is. Throws an Error that names the kinds there are. */
export function chosenKinds(named: Readonly<Partial<Record<Seam, string>>>): Kinds {
  const chosen = (Object.keys(kindsOf) as Seam[]).map((seam) => {
    const [usual, ...others]: readonly string[] = kindsOf[seam];
    const kind = named[seam] ?? usual!;
    if (kind !== usual && !others.includes(kind))
      throw new Error(`there is no ${seam} "${kind}": use one of ${kindsOf[seam].join(', ')}`);
    return [seam, kind];
  });
  return Object.fromEntries(chosen) as Kinds;
}

/** What a configuration says of a program. */
interface Program {
  readonly binary: string;
  readonly sha256: string;
}

/** By the name that the configuration's kinds have in common with the tools. */
export type Programs = Readonly<Partial<Record<'tcld' | 'certstrap' | 'temporal', Program>>>;

interface Named {
  readonly authority: string;
  readonly target: string;
}

type Section = Readonly<Record<string, object>>;

/** A rotation's configuration, as it stands in its file, made of these kinds. */
export function withKinds(
  config: Section,
  { cloud, issuer, probe, rollout }: Kinds,
  programs: Programs,
  { authority, target }: Named,
): Section {
  const [authorities, targets] = [config['authorities'] as Section, config['targets'] as Section];
  const { binary: _, sha256: __, ...cloudApi } = config['cloud'] as Section;
  return {
    ...config,
    cloud: { ...cloudApi, kind: cloud, ...(cloud === 'tcld' && programs.tcld) },
    authorities: {
      ...authorities,
      [authority]: {
        ...authorities[authority],
        issuer: { kind: issuer, algorithm: 'P-384', ...(issuer !== 'builtin' && programs[issuer]) },
      },
    },
    targets: { ...targets, [target]: { ...targets[target], rollout } },
    probe: { kind: probe, ...(probe === 'temporal-cli' && programs.temporal) },
  };
}
