package container

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"nspawnkit/container/kernel"
	"nspawnkit/image"
	"nspawnkit/settings"
)

// errUpperInStack: the kernel takes no overlay for the uppermost layer of another, and a working directory beside that layer would
// be written to the stack.
var errUpperInStack = errors.New("with --mstack the uppermost directory of an overlay cannot be in the image, behind \"+\"; name one of the host")

// isInImage reports whether the source of a mount is a path of the image.
func isInImage(source string) bool { return strings.HasPrefix(source, "+") }

func overlaysImage(overlay *settings.Overlay) bool {
	return slices.ContainsFunc(overlay.Lower, isInImage) || isInImage(overlay.Upper)
}

// openInStack opens the sources of mounts that are in the mount stack, now that it is put together.
func (a *assembly) openInStack() (err error) {
	if a.plan.Options.Stack == nil {
		return nil
	}
	for i := range a.custom {
		switch m := &a.custom[i]; {
		case m.bind != nil && isInImage(m.bind.Source):
			err = a.openBindInStack(m)
		case m.overlay != nil && overlaysImage(m.overlay):
			if err = a.openLower(m.layers, m.overlay); err == nil && isInImage(m.overlay.Upper) {
				err = a.openUppermost(m.layers, m.overlay)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a.custom[i].origin, err)
		}
	}
	return nil
}

// openBindInStack opens the source of a bind. Where the root directory cannot be written to, what is written to a temporary layer
// would be lost: it is read-only, unless it is in a bind of the stack.
func (a *assembly) openBindInStack(m *openedMount) (err error) {
	if m.tree, err = a.openBind(m.bind); err != nil || !a.plan.Inside.ReadOnly && !isVolatile(&a.plan.Settings) {
		return err
	}
	source := path.Clean(strings.TrimPrefix(m.bind.Source, "+"))
	isWritable := slices.ContainsFunc(a.plan.Options.Stack.Binds, func(b image.StackBind) bool { return !b.ReadOnly && isAtOrBelow(source, b.Destination) })
	if isWritable {
		return nil
	}
	return m.tree.SetAttributes(kernel.ReadOnly, false)
}

// makeStackJournal makes the directory where journald of the container writes to disk, as for other containers.
func (a *assembly) makeStackJournal() error {
	mode := a.plan.Settings.Exec.LinkJournal
	if mode.Mode == "no" || mode.Mode == "" || a.plan.Inside.ReadOnly || isVolatile(&a.plan.Settings) {
		return nil
	}
	owner := int(a.plan.Users.Start)
	directory, err := a.inStack.MakeDirectories(journalDirectory, 0o755, owner, owner)
	if err == nil {
		return directory.Close()
	}
	if mode.Mode == "host" && !mode.Try {
		return at(&a.plan.Settings, "Exec.LinkJournal", err)
	}
	a.log(Debug, fmt.Sprintf("link journals: %v, ignoring", err))
	return nil
}
