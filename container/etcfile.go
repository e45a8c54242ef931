package container

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"nspawnkit/container/kernel"
)

// EtcFile says what happens to a file of the container's /etc that follows the host: /etc/resolv.conf, /etc/localtime. What
// cannot be done to it is no reason not to start.
type EtcFile struct {
	Action  string // one of the constants below
	Source  string // file of the host; nothing for actionDelete
	Content []byte // of Source, filled in by the supervisor
	Zone    string // for actionSymlink
	Origin  string // FILE:LINE of the setting behind it
}

// The actions of [EtcFile].
const (
	actionCopy    = "copy"    // but only over a regular file, and never through a link
	actionReplace = "replace" // over whatever is there
	actionBind    = "bind"    // read-only
	actionSymlink = "symlink" // into the container's zone database
	actionDelete  = "delete"
)

// maxEtcFile bounds what is copied of the host, in bytes.
const maxEtcFile = 1 << 20

// readEtcFiles reads what is to be copied, or to be copied where it cannot be mounted.
func (s *Supervisor) readEtcFiles() error {
	for _, file := range []**EtcFile{&s.plan.Inside.ResolvConf, &s.plan.Inside.Timezone} {
		if *file == nil || (*file).Source == "" {
			continue
		}
		content, err := readAtMost((*file).Source, maxEtcFile)
		if err != nil {
			s.log(Warning, fmt.Sprintf("%s: %v, ignoring", (*file).Origin, err))
			*file = nil
			continue
		}
		(*file).Content = content
	}
	return nil
}

// readAtMost reads a file of the host of at most limit bytes.
func readAtMost(name string, limit int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("read %s: larger than %d bytes", name, limit)
	}
	return data, err
}

// cloneEtcFiles takes hold of the files to be mounted while those of the host are in sight. One that cannot be is copied.
func (f *first) cloneEtcFiles() error {
	f.etc = make(map[*EtcFile]kernel.Tree)
	for _, file := range []*EtcFile{f.plan.ResolvConf, f.plan.Timezone} {
		if file == nil || file.Action != actionBind && file.Action != actionSymlink {
			continue
		}
		if tree, err := kernel.CloneTree(file.Source, false); err != nil {
			f.warn(file, err)
		} else {
			f.etc[file] = tree
		}
	}
	return nil
}

func (f *first) warn(file *EtcFile, err error) {
	f.warnings = append(f.warnings, fmt.Sprintf("%s: %v, ignoring", file.Origin, err))
}

func (f *first) changeEtcFiles() error {
	if f.plan.ResolvConf != nil {
		f.changeEtcFile(f.plan.ResolvConf, "resolv.conf", actionCopy)
	}
	if f.plan.Timezone != nil {
		f.changeEtcFile(f.plan.Timezone, "localtime", actionReplace)
	}
	return nil
}

// changeEtcFile does what the plan says to the file /etc/NAME. fallback is the action where a mount is not possible.
func (f *first) changeEtcFile(file *EtcFile, name, fallback string) {
	etc, err := f.root.OpenDir("/etc")
	if err != nil {
		f.warn(file, err)
		return
	}
	defer etc.Close()
	action := file.Action
	if action == actionSymlink {
		if f.root.Exists(path.Join(zoneDirectory, file.Zone)) {
			f.tolerate(file, linkZone(etc, name, file.Zone))
			return
		}
		action = actionBind // a link would lead to nothing
	}
	if action == actionBind {
		if f.bindEtcFile(file, name) {
			return
		}
		action = fallback
	}
	switch action {
	case actionDelete:
		err = etc.Remove(name)
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	case actionCopy:
		err = etc.Overwrite(name, file.Content, 0o644)
		if errors.Is(err, kernel.ErrLink) || errors.Is(err, kernel.ErrNotRegular) {
			err = nil // a link leads to a resolver of the container's
		}
	case actionReplace:
		err = etc.Replace(name, file.Content, 0o644)
	}
	f.tolerate(file, err)
}

// tolerate warns of an error, unless it comes from a read-only image or from a directory that belongs to none of the
// container's users.
func (f *first) tolerate(file *EtcFile, err error) {
	if err != nil && !errors.Is(err, os.ErrPermission) && !errors.Is(err, kernel.ErrReadOnlyFileSystem) {
		f.warn(file, err)
	}
}

// bindEtcFile mounts the host's file, where a link leads to if there is one.
func (f *first) bindEtcFile(file *EtcFile, name string) bool {
	tree, ok := f.etc[file]
	if !ok {
		return false
	}
	defer tree.Close()
	place, err := f.root.OpenOrMakeFile(path.Join("/etc", name))
	if err == nil {
		defer place.Close()
		if err = tree.SetAttributes(noSUIDDev|kernel.ReadOnly, false); err == nil {
			err = tree.Attach(place)
		}
	}
	if err != nil {
		f.warn(file, err)
	}
	return err == nil
}
