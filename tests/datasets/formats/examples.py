"""Writers of small files in the layouts of the field's datasets, made from what is documented of them.

No two axes have the same size, and every number tells where it is: its digits are its indices. Each writer returns the
fields that a reader should find, as arrays (samples, [frames], x[, y[, z]]).
"""

import h5py
import numpy as np
import scipy.io

SAMPLES, FRAMES = 3, 5
SPACE = (6, 8, 4)

CONFIG = """\
name: {name}
work_dir: ${{hydra:runtime.cwd}}
sim:
  k: 0.005
  seed: {seed}
  t: 2.0
dataverse:
  lib_name: pyDaRUS
"""


def coded(*shape, dtype=np.float32):
    """Numbers whose decimal digits are their indices."""
    values = np.zeros(shape)
    for axis, digits in enumerate(np.indices(shape)):
        values += digits * 10.0 ** (len(shape) - 1 - axis)
    return values.astype(dtype)


def centres(n, length=1.0, start=0.0):
    """Centres of ``n`` cells, as single precision keeps them."""
    return (start + (np.arange(n) + 0.5) * length / n).astype(np.float32)


def pdebench_1d(path, **attributes):
    """Advection, Burgers or reaction-diffusion: layout A, with one time more than there are frames."""
    u = coded(SAMPLES, FRAMES, 8)
    with h5py.File(path, "w") as file:
        file["tensor"] = u
        file["x-coordinate"] = centres(8)
        file["t-coordinate"] = (0.25 * np.arange(FRAMES + 1)).astype(np.float32)
        file.attrs.update(attributes or {"beta": 0.4})
    return {"u": u}


def pdebench_darcy(path):
    """Darcy flow: layout A."""
    nu, u = coded(SAMPLES, 6, 8), coded(SAMPLES, 1, 6, 8) + 0.5
    with h5py.File(path, "w") as file:
        file["nu"], file["tensor"] = nu, u
        file["x-coordinate"], file["y-coordinate"] = centres(6), centres(8, 2.0)
        file.attrs["beta"] = 1.0
    return {"nu": nu, "u": u[:, 0]}


def pdebench_cfd(path, ndim):
    """Compressible flow: layout A."""
    space = SPACE[:ndim]
    names = ("density", "pressure", "Vx", "Vy", "Vz")[: 2 + ndim]
    fields = {name: coded(SAMPLES, FRAMES, *space) + i / 8 for i, name in enumerate(names)}
    with h5py.File(path, "w") as file:
        for name, values in fields.items():
            file[name] = values
        for axis, n in zip("xyz", space, strict=False):
            file[f"{axis}-coordinate"] = centres(n, n / 4, -1.0)
        file["t-coordinate"] = (0.1 * np.arange(FRAMES + 1)).astype(np.float32)
        file.attrs.update({"eta": 0.01, "zeta": 0.01, "M": 0.1})
    return fields


def pdebench_groups(path, kind):
    """Layout B: "diff-sorp" (1-D), "rdb" (x before y) or "diff-react" (y before x)."""
    shape = {"diff-sorp": (8, 1), "rdb": (6, 8, 1), "diff-react": (8, 6, 2)}[kind]
    data = coded(SAMPLES, FRAMES, *shape)
    with h5py.File(path, "w") as file:
        for sample in range(SAMPLES):
            group = file.create_group(f"{sample:04d}")
            group.create_dataset("data", data=data[sample], compression="lzf")
            group["grid/x"] = centres(8 if kind == "diff-sorp" else 6, 2.0, -1.0)
            if kind != "diff-sorp":
                group["grid/y"] = centres(8, 2.0, -1.0)
            group["grid/t"] = (0.5 * np.arange(FRAMES)).astype(np.float32)
            group.attrs["config"] = CONFIG.format(name=kind, seed=sample)
    if kind == "diff-react":
        return {name: data[..., i].swapaxes(2, 3) for i, name in enumerate("uv")}
    return {"u" if kind == "diff-sorp" else "h": data[..., 0]}


def pdebench_incompressible(path):
    """Layout C."""
    velocity = coded(SAMPLES, FRAMES, 6, 8, 2)
    particles = coded(SAMPLES, FRAMES, 6, 8, 1) + 0.5
    force = coded(SAMPLES, 6, 8, 2) + 0.25
    with h5py.File(path, "w") as file:
        file.create_dataset("velocity", data=velocity, chunks=(1, 1, 6, 8, 2), compression="lzf", shuffle=True)
        file.create_dataset("particles", data=particles, chunks=(1, 1, 6, 8, 1), compression="lzf", shuffle=True)
        file.create_dataset("force", data=force, chunks=(1, 1, 8, 2), compression="lzf", shuffle=True)
        file["t"] = np.tile(0.005 * np.arange(FRAMES), (SAMPLES, 1)).astype(np.float32)
        file.attrs["config"] = "NU: 0.01\ndomain_size:\n- 1\n- 2\ndataverse:\n  dataset_id: doi\n"
        file.attrs["latestIndex"] = FRAMES - 1
    return {
        "velocity_x": velocity[..., 0],
        "velocity_y": velocity[..., 1],
        "particles": particles[..., 0],
        "force_x": force[..., 0],
        "force_y": force[..., 1],
    }


def well(path, dims=("x", "y")):
    """A file of The Well: fields of every order, one without an axis of space, one without samples and frames."""
    n = len(dims)
    space = SPACE[:n]
    full = (SAMPLES, FRAMES, *space)
    arrays = {
        "t0_fields/pressure": (coded(*full), True, True, [True] * n),
        "t0_fields/profile": (coded(SAMPLES, FRAMES, *space[1:]) + 0.5, True, True, [False] + [True] * (n - 1)),
        "t0_fields/mask": (coded(*space), False, False, [True] * n),
        "t1_fields/velocity": (coded(*full, n) + 0.25, True, True, [True] * n),
        "t2_fields/D": (coded(*full, n, n) + 0.125, True, True, [True] * n),
    }
    with h5py.File(path, "w") as file:
        _well_dimensions(file, dims, space)
        for group in ("t0_fields", "t1_fields", "t2_fields"):
            names = [name.split("/")[1] for name in arrays if name.startswith(group)]
            file.create_group(group).attrs["field_names"] = names
        for name, (values, sample, time, along) in arrays.items():
            file[name] = values
            file[name].attrs.update({"sample_varying": sample, "time_varying": time, "dim_varying": along})
    return {
        "pressure": arrays["t0_fields/pressure"][0],
        "profile": np.broadcast_to(arrays["t0_fields/profile"][0][:, :, None], full),
        "mask": np.broadcast_to(arrays["t0_fields/mask"][0], (SAMPLES, *space)),
        **{f"velocity_{dim}": arrays["t1_fields/velocity"][0][..., i] for i, dim in enumerate(dims)},
        **{f"D_{a}{b}": arrays["t2_fields/D"][0][..., i, j] for i, a in enumerate(dims) for j, b in enumerate(dims)},
    }


def _well_dimensions(file, dims, space):
    file.attrs.update({"dataset_name": "example", "grid_type": "cartesian", "n_spatial_dims": len(dims)})
    file.attrs.update({"n_trajectories": SAMPLES, "simulation_parameters": ["Rayleigh"], "Rayleigh": 1e6})
    fixed = {"sample_varying": False, "time_varying": False}
    dimensions = file.create_group("dimensions")
    dimensions.attrs["spatial_dims"] = list(dims)
    dimensions["time"] = (0.5 * np.arange(FRAMES)).astype(np.float32)
    dimensions["time"].attrs.update({"sample_varying": False, "time_varying": True})
    scalars = file.create_group("scalars")
    scalars.attrs["field_names"] = ["Rayleigh", "gain"]
    scalars["Rayleigh"], scalars["gain"] = np.float32(1e6), np.arange(SAMPLES, dtype=np.float32)
    scalars["Rayleigh"].attrs.update(fixed)
    scalars["gain"].attrs.update({"sample_varying": True, "time_varying": False})
    for dim, size in zip(dims, space, strict=True):
        dimensions[dim] = (np.arange(size) / size).astype(np.float32)
        dimensions[dim].attrs.update(fixed)
        boundary = file.create_group(f"boundary_conditions/{dim}_periodic")
        boundary.attrs.update({"bc_type": "PERIODIC", "associated_dims": [dim], "associated_fields": [], **fixed})
        boundary["mask"] = np.arange(size) % (size - 1) == 0


def burgers():
    """The variables of burgers_data_R10: a -> u and a smoothed a."""
    return {name: coded(SAMPLES, 8, dtype=float) + i / 8 for i, name in enumerate(("a", "u", "a_smooth"))}


def darcy():
    """The variables of piececonst_r421_N1024_smooth1: coeff -> sol and a smoothed coeff."""
    return {name: coded(SAMPLES, 6, 8, dtype=float) + i / 8 for i, name in enumerate(("coeff", "sol", "Kcoeff"))}


def navier_stokes():
    """The variables of the Navier-Stokes files: a, u with the time last, t."""
    return {
        "a": coded(SAMPLES, 6, 8),
        "u": coded(SAMPLES, 6, 8, FRAMES) + np.float32(0.5),
        "t": np.arange(1.0, FRAMES + 1)[None],
    }


def mat_v5(path, arrays):
    """A file as MATLAB 5 and scipy write it."""
    scipy.io.savemat(path, arrays)


def mat_v73(path, arrays):
    """A file as MATLAB 7.3 writes it: HDF5 behind 512 bytes of MATLAB's own, the axes in reverse."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in arrays.items():
            file[name] = values.T
            file[name].attrs["MATLAB_class"] = np.bytes_("double" if values.dtype == np.float64 else "single")
    with open(path, "r+b") as file:
        text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024 HDF5 schema 1.00 ."
        file.write(text.ljust(116) + bytes(8) + b"\x00\x02IM")
