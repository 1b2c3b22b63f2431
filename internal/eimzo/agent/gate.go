package agent

import (
	"context"
	"fmt"

	"imzo/internal/eimzo/agent/origin"
	"imzo/internal/eimzo/agent/prompt"
	"imzo/internal/i18n"
)

var questionPermission = text{
	ru: "%s запрашивает разрешение на вызов функций E-IMZO",
	uz: "%s E-IMZO funksiyalarini chaqirish uchun ruxsat so‘ramoqda",
	en: "%s asks for permission to call the functions of E-IMZO",
}

// Gated is Options.Allow by a gate that asks the person through p in language
// l.
func Gated(g *origin.Gate, p prompt.Prompter, l i18n.Language) func(context.Context, Caller) error {
	return func(ctx context.Context, from Caller) error {
		ask := func(ctx context.Context) (bool, bool, error) {
			answer, err := p.Ask(ctx, prompt.Request{
				Kind: prompt.KindPermission, Origin: from.Origin, Domain: from.Domain, Language: l,
				Question: fmt.Sprintf(questionPermission.in(l), from.Domain),
			})
			return answer.Allowed, answer.Always, err
		}
		if !g.Allowed(ctx, from.Origin, from.Domain, ask) {
			return fail(-1022, textApiKeyForDomainSIsInvalid, from.Domain)
		}
		return nil
	}
}
