import { signInUrl } from './api-client';
import { elapsedWords } from './relative-time';
import type { StepLine } from './step-trail';
import type { Screen } from './visit-screen';

/** What lies over the terminal while nobody can type in it; nothing when one can. */
export function TerminalOverlay({ screen }: { readonly screen: Screen }) {
  if (screen.kind === 'terminal') return null;
  const classes = ['veil', `veil-${screen.name}`, screen.isGlass ? 'glass' : '', screen.hint === '' ? '' : 'wakes'];
  return (
    <section class={classes.join(' ').trim()} data-card={screen.name} aria-busy={screen.isWorking}>
      <div class="message">
        <div role="status"><h2>{screen.title}</h2></div>
        {screen.lines.length > 0 && <div class="lines">{screen.lines.map((line, index) => <p key={index}>{line}</p>)}</div>}
        {screen.steps.length > 0 && <ol class="steps">{screen.steps.map((step) => <Step key={step.words} step={step} />)}</ol>}
        {screen.hint !== '' && <p class="hint">{screen.hint}</p>}
        {screen.way === 'sessions' && <a class="button" href="/terminal/">Back to my sessions</a>}
        {screen.way === 'sign_in' && <a class="button primary" href={signInUrl(location.pathname)}>Sign in</a>}
      </div>
    </section>
  );
}

function Step({ step }: { readonly step: StepLine }) {
  return (
    <li class={step.progress} aria-current={step.progress === 'now' ? 'step' : undefined}>
      <span>{step.words}</span>
      {step.elapsedMs !== null && <span class="time" aria-hidden="true">{elapsedWords(step.elapsedMs)}</span>}
    </li>
  );
}
