package settings

import (
	"fmt"
	"strings"
)

// getopt takes a command line apart as getopt_long(3) does with a "+" before the short options.
type getopt struct {
	args  []string // still to be read
	short string   // rest of a word of short options: "D" of "-bD"
}

// next returns the next option and its argument, "yes" if it takes none or can do without. Without option, args is what
// follows them.
func (g *getopt) next() (*option, string, error) {
	if g.short != "" {
		return g.nextShort()
	}
	if len(g.args) == 0 {
		return nil, "", nil
	}
	word := g.args[0]
	switch {
	case word == "--":
		g.args = g.args[1:]
		return nil, "", nil
	case strings.HasPrefix(word, "--"):
		g.args = g.args[1:]
		return g.long(word[2:])
	case len(word) > 1 && word[0] == '-':
		g.args = g.args[1:]
		g.short = word[1:]
		return g.nextShort()
	}
	return nil, "", nil
}

// long takes "NAME" or "NAME=ARGUMENT", where NAME may be abbreviated.
func (g *getopt) long(word string) (*option, string, error) {
	name, argument, hasArgument := strings.Cut(word, "=")
	o, err := matchLong(name)
	switch {
	case err != nil:
		return nil, "", err
	case hasArgument && o.arg == NoArgument:
		return o, "", fmt.Errorf("option '--%s' doesn't allow an argument", o.long)
	case hasArgument:
		return o, argument, nil
	case o.arg == NextArgument && (len(g.args) == 0 || strings.HasPrefix(g.args[0], "-")):
		return o, "", nil
	case o.arg == NoArgument || o.arg == OptionalArgument:
		return o, "yes", nil
	case len(g.args) == 0:
		return o, "", fmt.Errorf("option '--%s' requires an argument", o.long)
	}
	argument, g.args = g.args[0], g.args[1:]
	return o, argument, nil
}

// nextShort takes one letter of g.short; an argument is the rest of the word or the next word.
func (g *getopt) nextShort() (*option, string, error) {
	letter := g.short[0]
	g.short = g.short[1:]
	o := matchShort(letter)
	switch {
	case o == nil:
		return nil, "", fmt.Errorf("invalid option -- '%s'", strings.Trim(printable(string(rune(letter))), `"`))
	case o.arg != RequiredArgument:
		return o, "yes", nil
	case g.short != "":
		argument := g.short
		g.short = ""
		return o, argument, nil
	case len(g.args) == 0:
		return o, "", fmt.Errorf("option requires an argument -- '%c'", letter)
	}
	argument := g.args[0]
	g.args = g.args[1:]
	return o, argument, nil
}

// matchLong finds the option with a name that begins with prefix: the one of exactly that name, or the only one.
func matchLong(prefix string) (*option, error) {
	var match *option
	var possible []string
	for o := range eachOption {
		if o.long == prefix && prefix != "" {
			exact := o // not o itself: each of them would need memory
			return &exact, nil
		}
		if strings.HasPrefix(o.long, prefix) && o.long != "" && !o.whole {
			candidate := o
			match = &candidate
			possible = append(possible, "'--"+o.long+"'")
		}
	}
	switch len(possible) {
	case 0:
		return nil, fmt.Errorf("unrecognized option '--%s'", printable(prefix))
	case 1:
		return match, nil
	}
	return nil, fmt.Errorf("option '--%s' is ambiguous; possibilities: %s", printable(prefix), strings.Join(possible, " "))
}

// matchShort finds the option of a letter, or nil.
func matchShort(letter byte) *option {
	for o := range eachOption {
		if o.short == letter {
			found := o
			return &found
		}
	}
	return nil
}
