//! Layers whose windows move over an image, a sequence or a volume, and those that change its size.

use super::{Builder, Layer, ints, text};
use crate::tfjs::TfjsError;
use crate::tfjs::json::Json;
use sidestage_ir::{Attribute, Var};

/// How many dimensions windows move over, by the layer's name.
fn rank(class: &str) -> Option<(&str, usize)> {
    let rest = class.strip_suffix('D').or_else(|| class.strip_suffix("DTranspose"))?;
    let rank = rest.chars().last()?.to_digit(10).filter(|rank| (1..=3).contains(rank))?;
    Some((&rest[..rest.len() - 1], rank as usize))
}

impl<'a> Builder<'a> {
    /// `None`: the layer is none of these, or refused.
    pub(super) fn convolution(
        &mut self,
        layer: &Layer<'a>,
        x: Var,
    ) -> Result<Option<Var>, TfjsError> {
        let Some((family, rank)) = rank(layer.class) else { return Ok(None) };
        let y = match family {
            "Conv" if layer.class.ends_with("Transpose") => {
                return self.transposed(layer, x, rank);
            }
            "Conv" => {
                let op = ["TF::Conv1D", "TF::Conv2D", "TF::Conv3D"][rank - 1];
                return self.convolved(layer, x, (op, "kernel", rank), false);
            }
            "DepthwiseConv" if rank == 2 => {
                let op = ("TF::DepthwiseConv2dNative", "depthwise_kernel", rank);
                return self.convolved(layer, x, op, false);
            }
            "SeparableConv" if rank == 2 => {
                let op = ("TF::DepthwiseConv2dNative", "depthwise_kernel", rank);
                let Some(y) = self.convolved(layer, x, op, true)? else { return Ok(None) };
                let kernel = self.weight(layer, "pointwise_kernel")?;
                let format = self.format(layer);
                let y = self.call("TF::Conv2D", &[y, kernel], &[("data_format", format)]);
                return self.finished(layer, y);
            }
            "MaxPooling" => self.pooled(layer, x, "TF::MaxPool", rank)?,
            "AveragePooling" => self.pooled(layer, x, "TF::AvgPool", rank)?,
            "GlobalAveragePooling" => self.global(layer, x, "ReduceMean", rank),
            "GlobalMaxPooling" => self.global(layer, x, "ReduceMax", rank),
            "ZeroPadding" => {
                let around = self.around(layer, "padding", rank)?;
                let pads: Vec<i64> = around.iter().flatten().copied().collect();
                let pads = self.list(&[rank + 2, 2], &pads)?;
                self.call("TF::Pad", &[x, pads], &[])
            }
            "Cropping" => {
                let around = self.around(layer, "cropping", rank)?;
                let end = |behind: i64| if behind == 0 { i64::MAX } else { -behind };
                let starts: Vec<i64> = around.iter().map(|[before, _]| *before).collect();
                let ends: Vec<i64> = around.iter().map(|[_, behind]| end(*behind)).collect();
                let starts = self.list(&[rank + 2], &starts)?;
                let ends = self.list(&[rank + 2], &ends)?;
                self.call("Slice", &[x, starts, ends], &[])
            }
            "UpSampling" => self.enlarged(layer, x, rank)?,
            _ => return Ok(None),
        };
        Ok(Some(y))
    }

    fn format(&self, layer: &Layer<'_>) -> Attribute {
        text(if layer.channels_first() { "NCHW" } else { "NHWC" })
    }

    /// How the windows lie. Causal ones see nothing that comes later.
    fn windows(
        &mut self,
        layer: &Layer<'_>,
        rank: usize,
    ) -> Result<Vec<(&'static str, Attribute)>, TfjsError> {
        let padding = layer.config.get("padding").text().unwrap_or("valid");
        let strides = layer.sizes("strides", rank).unwrap_or_else(|| vec![1; rank]);
        let dilations = layer.sizes("dilation_rate", rank).unwrap_or_else(|| vec![1; rank]);
        let padding = match padding {
            "same" => "SAME",
            "valid" | "causal" => "VALID",
            _ => return Err(layer.wrong("its padding is none")),
        };
        Ok(vec![
            ("strides", ints(&strides)),
            ("dilations", ints(&dilations)),
            ("padding", text(padding)),
            ("data_format", self.format(layer)),
        ])
    }

    fn convolved(
        &mut self,
        layer: &Layer<'_>,
        mut x: Var,
        (op, kernel, rank): (&str, &str, usize),
        alone: bool,
    ) -> Result<Option<Var>, TfjsError> {
        let attributes = self.windows(layer, rank)?;
        if layer.config.get("padding").text() == Some("causal") {
            let sizes = layer.sizes("kernel_size", 1).zip(layer.sizes("dilation_rate", 1));
            let Some((sizes, dilations)) = sizes.filter(|_| rank == 1) else {
                self.refuse(layer, "causal");
                return Ok(None);
            };
            let before = sizes[0].saturating_sub(1).saturating_mul(dilations[0]);
            let pads = match layer.channels_first() {
                true => [0, 0, 0, 0, before, 0],
                false => [0, 0, before, 0, 0, 0],
            };
            let pads = self.list(&[3, 2], &pads)?;
            x = self.call("TF::Pad", &[x, pads], &[]);
        }
        let kernel = self.weight(layer, kernel)?;
        let y = self.call(op, &[x, kernel], &attributes);
        if alone { Ok(Some(y)) } else { self.finished(layer, y) }
    }

    /// With its bias and its function.
    fn finished(&mut self, layer: &Layer<'_>, mut y: Var) -> Result<Option<Var>, TfjsError> {
        if layer.truth("use_bias", true) {
            let bias = self.weight(layer, "bias")?;
            let format = self.format(layer);
            y = self.call("TF::BiasAdd", &[y, bias], &[("data_format", format)]);
        }
        self.activation(layer, y)
    }

    /// ONNX's `ConvTranspose`, which has the channels before the image.
    fn transposed(
        &mut self,
        layer: &Layer<'_>,
        mut x: Var,
        rank: usize,
    ) -> Result<Option<Var>, TfjsError> {
        let ones =
            |sizes: Option<Vec<i64>>| sizes.is_none_or(|all| all.iter().all(|one| *one == 1));
        if !ones(layer.sizes("dilation_rate", rank)) {
            self.refuse(layer, "dilation_rate");
            return Ok(None);
        }
        if *layer.config.get("output_padding") != Json::Null {
            self.refuse(layer, "output_padding");
            return Ok(None);
        }
        let none = || layer.wrong("its kernel_size or strides are none");
        let sizes = layer.sizes("kernel_size", rank).ok_or_else(none)?;
        let strides = layer.sizes("strides", rank).ok_or_else(none)?;
        let mut attributes = vec![("strides", ints(&strides))];
        if layer.config.get("padding").text() == Some("same") {
            attributes.push(("auto_pad", text("SAME_UPPER")));
        } else {
            // Windows that leave gaps have one behind the last, too.
            let gap = |(stride, size): (&i64, &i64)| stride.saturating_sub(*size).max(0);
            let gaps: Vec<i64> = strides.iter().zip(&sizes).map(gap).collect();
            attributes.push(("output_padding", ints(&gaps)));
        }
        let last = rank as i64 + 1;
        let kernel = self.weight(layer, "kernel")?;
        let order: Vec<i64> = [last, last - 1].into_iter().chain(0..rank as i64).collect();
        let kernel = self.call("Transpose", &[kernel], &[("perm", ints(&order))]);
        let first = layer.channels_first();
        if !first {
            let order: Vec<i64> = [0, last].into_iter().chain(1..last).collect();
            x = self.call("Transpose", &[x], &[("perm", ints(&order))]);
        }
        let mut y = self.call("ConvTranspose", &[x, kernel], &attributes);
        if !first {
            let order: Vec<i64> = [0].into_iter().chain(2..=last).chain([1]).collect();
            y = self.call("Transpose", &[y], &[("perm", ints(&order))]);
        }
        self.finished(layer, y)
    }

    fn pooled(
        &mut self,
        layer: &Layer<'_>,
        x: Var,
        op: &str,
        rank: usize,
    ) -> Result<Var, TfjsError> {
        let mut attributes = self.windows(layer, rank)?;
        let size = layer.sizes("pool_size", rank).unwrap_or_else(|| vec![2; rank]);
        // Without strides the windows lie side by side.
        let strides = layer.sizes("strides", rank).unwrap_or_else(|| size.clone());
        attributes[0] = ("strides", ints(&strides));
        attributes.push(("ksize", ints(&size)));
        Ok(self.call(op, &[x], &attributes))
    }

    fn global(&mut self, layer: &Layer<'_>, x: Var, op: &str, rank: usize) -> Var {
        let first = if layer.channels_first() { 2 } else { 1 };
        let axes: Vec<i64> = (first..first + rank as i64).collect();
        let keep = layer.truth("keepdims", false).into();
        self.call(op, &[x], &[("axes", ints(&axes)), ("keepdims", Attribute::Int(keep))])
    }

    /// Before and behind each dimension, with batch and channels.
    fn around(
        &self,
        layer: &Layer<'_>,
        key: &str,
        rank: usize,
    ) -> Result<Vec<[i64; 2]>, TfjsError> {
        let json = layer.config.get(key);
        let pair = |json: &Json| match json.list() {
            [before, behind] => Some([before.int()?, behind.int()?]),
            _ => json.int().map(|both| [both; 2]),
        };
        let pairs: Option<Vec<[i64; 2]>> = match json.list() {
            // Of one dimension the pair itself.
            [_, _] if rank == 1 => pair(json).map(|pair| vec![pair]),
            list if list.len() == rank => list.iter().map(pair).collect(),
            _ => json.int().map(|all| vec![[all; 2]; rank]),
        };
        let pairs = pairs.filter(|pairs| pairs.iter().flatten().all(|one| *one >= 0));
        let mut pairs = pairs.ok_or_else(|| layer.wrong("what is around it is none"))?;
        let first = if layer.channels_first() { 2 } else { 1 };
        pairs.splice(..0, vec![[0; 2]; first]);
        pairs.resize(rank + 2, [0; 2]);
        Ok(pairs)
    }

    fn enlarged(&mut self, layer: &Layer<'_>, x: Var, rank: usize) -> Result<Var, TfjsError> {
        let sizes = layer.sizes("size", rank).unwrap_or_else(|| vec![2; rank]);
        let first = if layer.channels_first() { 2 } else { 1 };
        let axes: Vec<i64> = (first..first + rank as i64).collect();
        let scales: Vec<u8> = sizes.iter().flat_map(|size| (*size as f32).to_le_bytes()).collect();
        let scales = self.known(sidestage_tensor::DType::F32, &[rank], &scales)?;
        let linear = layer.config.get("interpolation").text() == Some("bilinear");
        let attributes = [
            ("mode", text(if linear { "linear" } else { "nearest" })),
            ("coordinate_transformation_mode", text("asymmetric")),
            ("nearest_mode", text("floor")),
            ("axes", ints(&axes)),
        ];
        Ok(self.calls("Resize", vec![Some(x), None, Some(scales)], &attributes, 1)[0])
    }
}
