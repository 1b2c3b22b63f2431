package agent

import "imzo/internal/i18n"

// table is all functions there are.
type table struct {
	plugins []plugin
	byName  map[[2]string]*function
}

// newTable puts the plugins together that c asks for.
func newTable(plugins []plugin, c Compat) *table {
	t := &table{byName: map[[2]string]*function{}}
	for _, p := range plugins {
		kept := plugin{name: p.name, about: p.about}
		for _, f := range p.functions {
			if f.legacy && c == Compat6 {
				continue
			}
			f.plugin = p.name
			kept.functions = append(kept.functions, f)
		}
		if len(kept.functions) == 0 {
			continue
		}
		t.plugins = append(t.plugins, kept)
		for i := range kept.functions {
			t.byName[[2]string{p.name, kept.functions[i].name}] = &kept.functions[i]
		}
	}
	return t
}

func (t *table) find(plugin, name string) *function { return t.byName[[2]string{plugin, name}] }

// apidoc describes the plugins as the original does: those of the program
// itself and hidden ones are left out. The first entries, in their order, are
// those of 6.4.7; older functions follow in entries of their own.
func (t *table) apidoc(l i18n.Language) list {
	type argumentView struct {
		Name        string `json:"name"`
		Optional    bool   `json:"optional"`
		Description string `json:"description"`
	}
	type functionView struct {
		Plugin      string         `json:"plugin"`
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Arguments   []argumentView `json:"arguments"`
	}
	type pluginView struct {
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Functions   []functionView `json:"functions"`
	}
	out := list{}
	for _, p := range t.plugins {
		if p.name == "" {
			continue
		}
		v := pluginView{Name: p.name, Description: p.about.in(l), Functions: []functionView{}}
		for _, f := range p.functions {
			if f.hidden {
				continue
			}
			args := []argumentView{}
			for _, a := range f.args {
				args = append(args, argumentView{a.name, a.optional, a.about})
			}
			v.Functions = append(v.Functions, functionView{p.name, f.name, f.about.in(l), args})
		}
		if len(v.Functions) > 0 {
			out = append(out, v)
		}
	}
	return out
}
