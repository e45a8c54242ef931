package units

import (
	"errors"
	"fmt"
	"strings"
)

// install turns the lines of [Install] into the links that "systemctl enable" would make (systemd.unit(5)). systemd does
// not read [Install] of generated files, so the lines themselves are of no use to it.
func (g *generation) install() {
	made := make(map[Link]bool)
	for _, line := range g.container.Settings.Install {
		links, err := g.installLinks(line.Key, line.Value)
		if err != nil {
			g.errorf(line.Origin, "%s=%s: %v", line.Key, line.Value, err)
			continue
		}
		for _, link := range links {
			if !made[link] {
				made[link] = true
				g.out.Links = append(g.out.Links, link)
			}
		}
	}
}

// installLinks returns the links of one line, all or none.
func (g *generation) installLinks(key, value string) ([]Link, error) {
	var link func(word string) (Link, error)
	switch key {
	case "WantedBy":
		link = func(word string) (Link, error) { return g.dependencyLink(word, ".wants/") }
	case "RequiredBy":
		link = func(word string) (Link, error) { return g.dependencyLink(word, ".requires/") }
	case "UpheldBy":
		link = func(word string) (Link, error) { return g.dependencyLink(word, ".upholds/") }
	case "Alias":
		link = g.aliasLink
	default:
		return nil, errors.New("not a setting of [Install] for a container")
	}
	var links []Link
	for _, word := range strings.Fields(value) {
		word, err := g.expand(word)
		if err != nil {
			return nil, err
		}
		l, err := link(word)
		if err != nil {
			return nil, err
		}
		links = append(links, l)
	}
	return links, nil
}

// dependencyLink makes another unit pull in the container. systemd reads the unit from the link's name and wants the
// target to have the same name or that of the template; where it lies is up to us (252, 257 and 262 alike).
func (g *generation) dependencyLink(word, folder string) (Link, error) {
	unit, err := dependency(word)
	if err != nil {
		return Link{}, err
	}
	if !isUnitName(unit) {
		return Link{}, fmt.Errorf("%q is not the name of a unit", word)
	}
	return Link{Path: unit + folder + ServiceName(g.container.Name), Target: g.host.Template}, nil
}

// aliasLink gives the unit a second name. The target is the instance and not the template: a link to a template outside of
// systemd's own folders, such as ours, would make a unit of its own out of the alias, without the container's drop-in.
func (g *generation) aliasLink(word string) (Link, error) {
	prefix, ok := strings.CutSuffix(word, "@"+g.container.Name+".service")
	if !ok || strings.Contains(prefix, "@") || !isUnitName(word) {
		return Link{}, fmt.Errorf("systemd takes only OTHER@%s.service as another name of %s", g.container.Name, ServiceName(g.container.Name))
	}
	if word == ServiceName(g.container.Name) {
		return Link{}, errors.New("this is the name of the unit itself")
	}
	return Link{Path: word, Target: ServiceName(g.container.Name)}, nil
}

// expand replaces the specifiers of a word in [Install], as "systemctl enable" does.
func (g *generation) expand(word string) (string, error) {
	if err := checkSpecifiers(word); err != nil {
		return "", err
	}
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] != '%' || i+1 == len(word) {
			b.WriteByte(word[i])
			continue
		}
		i++
		switch letter := word[i]; letter {
		case '%':
			b.WriteByte('%')
		case 'i':
			b.WriteString(g.container.Name)
		case 'n':
			b.WriteString(ServiceName(g.container.Name))
		default:
			value, ok := "", false
			if g.host.Specifier != nil {
				value, ok = g.host.Specifier(letter)
			}
			if !ok {
				return "", fmt.Errorf("%%%c is not known when units are generated", letter)
			}
			b.WriteString(value)
		}
	}
	return b.String(), nil
}
