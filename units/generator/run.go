package generator

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"nspawnkit/settings"
	"nspawnkit/units"
)

// perWorker is the number of containers from which on one more worker pays.
const perWorker = 32

// Run writes the units of all containers into the folders normal and late (systemd.generator(7)), as [Make] plans them. It
// returns what is wrong with the containers, what could not be written, and whether anything could.
//
// Each container is planned and written by itself: nothing of it is kept for the others, and the processors share them.
// Most of the time is the kernel's, making folders, files and links.
func Run(host Host, normal, late string) (some bool, problems []settings.Problem, err error) {
	p := newPlanner(host)
	found, problems := p.folders.Containers()
	results := make([]struct {
		problems []settings.Problem
		err      error
	}, len(found))
	var next, written atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 1+len(found)/perWorker) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(found)); i = next.Add(1) - 1 {
				output, more := p.plan(found[i].Name)
				n, err := write(normal, output)
				written.Add(int64(n))
				results[i].problems, results[i].err = more, err
			}
		})
	}
	workers.Wait()
	n, lateErr := write(late, units.Late(host.Root, host.Kit))
	m, sharedErr := write(normal, p.shared)
	problems = append(problems, p.sharedProblems...)
	errs := make([]error, 0, len(results)+2)
	for _, r := range results {
		problems = append(problems, r.problems...)
		errs = append(errs, r.err)
	}
	err = errors.Join(append(errs, lateErr, sharedErr)...)
	return written.Load()+int64(n+m) > 0, unique(problems), err
}
