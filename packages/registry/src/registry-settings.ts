import { secretFileSetting, textSetting } from '@vibe/platform';
import { z } from 'zod';

const registryLogin = secretFileSetting('/run/secrets/vibe-registry-login').transform((text, context) => {
  const login = z.object({ username: z.string().min(1), password: z.string().min(1) }).safeParse(tryJson(text));
  if (login.success) return login.data;
  context.addIssue({ code: 'custom', message: 'the file must hold {"username": …, "password": …}' });
  return z.NEVER;
});

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The settings by which a service finds our registry: spread them into its own schema. The two files are read at once. */
export const registrySettings = {
  REGISTRY_URL: textSetting({ default: 'registry:5000' }),
  REGISTRY_LOGIN_FILE: registryLogin,
  REGISTRY_CA_FILE: secretFileSetting('/etc/vibe/registry-ca.crt'),
};
